"""Paths near a saddle against eigenvalues, factors and invariants on paper, and against the engine's own turns."""

import cmath
import math

import pytest
import torch
from torch import nn

import nacre
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.explain.saddle import RULES, START, page, played, power, rate, solved
from nacre.game import Turn
from nacre.model import Model


def form(path, lr):
    """What alternating steps leave as it is: x^2 + y^2 - lr x y."""
    x, y = path.T
    return x.square() + y.square() - lr * x * y


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("lr", "gamma", "decay"), [(0.05, 0.5, 0.9), (0.2, 2.0, 0.0), (1.0, 1.5, 0.99)])
def test_every_path_is_its_closed_form(name, lr, gamma, decay):
    path, exact = (of(RULES[name], lr, gamma, decay, 80) for of in (played, solved))
    assert torch.allclose(path, exact, rtol=1e-6, atol=1e-9)


def test_powers_of_matrices_with_real_complex_and_equal_eigenvalues():
    for rows in (
        [[0.9, 0.2], [0.1, 1.1]],
        [[1.0, -0.3], [0.3, 0.8]],
        [[1.0, -0.5], [0.5, 0.0]],
        [[1.0, 0.0], [0.0, 1.0]],
    ):
        m = torch.tensor(rows, dtype=torch.float64)
        for t in (0, 1, 7, 40):
            assert torch.allclose(power(m, t), torch.linalg.matrix_power(m, t), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("lr", [0.05, 0.3, 0.9])
def test_the_factors_per_step_are_those_on_paper(lr):
    for name, factor in (("simultaneous", math.sqrt(1 + lr**2)), ("extragradient", math.sqrt(1 - lr**2 + lr**4))):
        distance = played(RULES[name], lr, 0.0, 0.0, 30).norm(dim=1)
        assert torch.allclose(distance[1:] / distance[:-1], torch.tensor(factor).double(), rtol=1e-6)
        assert math.isclose(rate(RULES[name], lr, 0.0), factor, rel_tol=1e-12)
    gamma = 0.8  # complex eigenvalues for all three steps: the squared modulus is the determinant
    assert math.isclose(rate(RULES["simultaneous + R1"], lr, gamma), math.sqrt(1 - lr * gamma + lr**2), rel_tol=1e-12)
    assert math.isclose(rate(RULES["alternating + R1"], lr, gamma), math.sqrt(1 - lr * gamma), rel_tol=1e-12)


def test_alternating_steps_stay_on_their_ellipse():
    for lr in (0.1, 1.0, 1.9):
        assert torch.allclose(
            form(played(RULES["alternating"], lr, 0.0, 0.0, 500), lr), torch.ones(501).double(), rtol=1e-6
        )


def test_simultaneous_steps_converge_only_if_the_penalty_outweighs_the_step():
    assert rate(RULES["simultaneous + R1"], 0.2, 0.19) > 1 > rate(RULES["simultaneous + R1"], 0.2, 0.21)


def test_the_mean_falls_as_one_over_the_number_of_steps():
    lr, steps = 0.2, 4000
    means = played(RULES["alternating, mean"], lr, 0.0, 0.0, steps).norm(dim=1) * torch.arange(1, steps + 2)
    m = torch.tensor([[1, -lr], [lr, 1 - lr**2]], dtype=torch.float64)
    longest = math.sqrt(1 / (1 - lr / 2))  # the ellipse's long half-axis, of x^2 + y^2 - lr x y = 1
    assert means.max() <= 2 * longest / torch.linalg.svdvals(torch.eye(2).double() - m).min()


def test_a_moving_average_shrinks_the_orbit_by_a_factor_and_no_further():
    lr, decay, steps = 0.2, 0.9, 600
    orbit, smooth = (played(RULES[name], lr, 0.0, decay, steps) for name in ("alternating", "alternating, EMA"))
    angle = math.acos(1 - lr**2 / 2)
    factor = (1 - decay) / abs(1 - decay * cmath.exp(-1j * angle))
    ratio = (form(smooth, lr) / form(orbit, lr)).sqrt()[300:]
    assert torch.allclose(ratio, torch.tensor(factor).double(), rtol=1e-6)


class Value(nn.Module):
    def __init__(self, start):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(start))


class Product(Model):
    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.x, self.y = map(Value, START)

    def turns(self):
        return [Turn(self.x, self.x_loss), Turn(self.y, self.y_loss)]

    def x_loss(self, batch):
        return self.x.value * self.y.value

    def y_loss(self, batch):
        return -self.x.value * self.y.value


def test_the_engine_alternates():
    data = nacre.load_data("ring")
    model = Product(data.spec)
    model.fit(
        data, steps=20, lr=0.3, optimizer="sgd", ema=0.0, batch_size=2, doctor="off", device="cpu", progress=False
    )
    end = played(RULES["alternating"], 0.3, 0.0, 0.0, 20)[-1].float()
    assert torch.allclose(torch.stack([model.x.value, model.y.value]).detach(), end, atol=1e-5)


def test_a_step_out_of_range_is_refused():
    for options in (
        {"lr": 2.0},
        {"lr": 0.0},
        {"steps": 0},
        {"gamma": -1.0},
        {"decay": 1.0},
        {"lr": 1.9, "steps": 9000},
    ):
        with pytest.raises(NacreError):
            page(**options)
