"""The layers at the border between the data's units and the network's."""

import math

import pytest
import torch

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.losses.likelihoods import bernoulli_nll, gaussian_nll
from nacre.nets.likelihood import (
    LIKELIHOODS,
    Bernoulli,
    DiscretisedLogistic,
    FixedGaussian,
    Gaussian,
    PixelGaussian,
    make_likelihood,
)
from nacre.nets.mlp import mlp
from nacre.nets.scale import FromData, ToData

TABLE = Spec((3,), center=(10.0, -2.0, 0.0), scale=(5.0, 0.1, 1.0))
IMAGE = Spec.image(2, 3, 4)


def test_vectors_come_back_in_their_own_units():
    x = torch.tensor(TABLE.center) + torch.tensor(TABLE.scale) * torch.randn(6, 3)
    assert torch.allclose(ToData(TABLE)(FromData(TABLE)(x)), x, atol=1e-5)


def test_each_column_of_a_vector_is_standardised_by_its_own_units():
    x = torch.tensor(TABLE.center) + torch.tensor(TABLE.scale) * torch.randn(50_000, 3)
    u = FromData(TABLE)(x)
    assert torch.allclose(u.mean(0), torch.zeros(3), atol=0.02) and torch.allclose(u.std(0), torch.ones(3), atol=0.02)


def test_images_reach_the_network_in_minus_one_to_one():
    x = torch.tensor([0.0, 0.5, 1.0])[:, None, None, None].expand(3, 2, 3, 4)
    assert torch.equal(FromData(IMAGE)(x)[:, 0, 0, 0], torch.tensor([-1.0, 0.0, 1.0]))


def test_images_leave_the_network_in_zero_to_one():
    y = ToData(IMAGE)(torch.tensor([-1e4, 0.0, 1e4])[:, None].expand(3, 24))
    assert y.shape == (3, 2, 3, 4)
    assert torch.equal(y[:, 0, 0, 0], torch.tensor([0.0, 0.5, 1.0]))


def test_the_way_out_undoes_the_way_in_up_to_tanh():
    x = 0.01 + 0.98 * torch.rand(5, 2, 3, 4)
    assert torch.allclose(ToData(IMAGE)(torch.atanh(FromData(IMAGE)(x))), x, atol=1e-5)


def test_units_are_configuration_and_not_weights():
    assert not FromData(TABLE).state_dict() and not ToData(TABLE).state_dict()


def test_bernoulli_likelihood():
    likelihood, h, x = Bernoulli(IMAGE), torch.randn(4, 24), torch.rand(4, 2, 3, 4)
    assert torch.equal(likelihood.nll(h, x), bernoulli_nll(h.view(4, 2, 3, 4), x))
    assert torch.equal(likelihood.mean(h), torch.sigmoid(h).view(4, 2, 3, 4))
    with pytest.raises(NacreError, match="gaussian"):
        Bernoulli(TABLE)


def test_gaussian_likelihood_measures_in_the_datas_units():
    likelihood, h = Gaussian(TABLE), torch.randn(4, 3)
    x = torch.tensor(TABLE.center) + torch.tensor(TABLE.scale) * torch.randn(4, 3)
    mean = h * torch.tensor(TABLE.scale) + torch.tensor(TABLE.center)
    assert torch.allclose(likelihood.mean(h), mean)
    variance = torch.tensor(TABLE.scale).square()  # at first the mean log-variance, and each column's distance from it
    assert torch.allclose(likelihood.nll(h, x), gaussian_nll(mean, variance.log(), x), rtol=1e-5)
    assert likelihood.logvar.shape == () and likelihood.logvar.requires_grad


@pytest.mark.parametrize("kind", [Gaussian, FixedGaussian, PixelGaussian])
def test_other_units_of_a_column_change_a_normal_density_by_their_jacobian_alone(kind):
    """So that no column is neglected for the unit it is measured in."""
    h, u = torch.randn(4, 2 * kind.outputs), torch.randn(4, 2)
    metres, inches = Spec((2,), scale=(1.0, 1.0)), Spec((2,), scale=(1.0, 39.37))
    wanted = kind(metres).nll(h, u) + math.log(39.37)
    assert torch.allclose(kind(inches).nll(h, u * torch.tensor(inches.scale)), wanted, atol=1e-4)


def test_grey_levels_are_those_of_images():
    with pytest.raises(NacreError, match="grey levels of images; use gaussian"):
        DiscretisedLogistic(Spec((3,), bounded=True))


def test_gaussian_likelihood_begins_at_the_datas_own_variance():
    spec = Spec((4,), scale=(3.0,))
    assert Gaussian(spec).logvar.exp().item() == pytest.approx(9.0)


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("h", [-3.0, 0.0, 0.7])
def test_draws_have_the_moments_of_the_likelihood(name, h):
    spec = Spec((1,)) if "gaussian" in name else Spec.image(1, 1, 1)
    likelihood = LIKELIHOODS[name](spec)
    grid = {"bernoulli": torch.tensor([0.0, 1.0]), "discretised-logistic": torch.arange(256) / 255}.get(
        name, torch.linspace(-8, 8, 4001) if "gaussian" in name else torch.linspace(0, 1, 4001)
    )
    outputs = torch.full((1, likelihood.outputs), h)
    p = (-likelihood.nll(outputs.expand(len(grid), -1), grid.view(-1, *spec.shape))).exp().double()
    p = p / p.sum()
    drawn = likelihood.draw(outputs.expand(40_000, -1)).flatten().double()
    mean, square = (p * grid).sum(), (p * grid.square()).sum()
    sd = (square - mean.square()).sqrt()
    assert abs(drawn.mean() - mean) < 5 * sd / 200 and abs(drawn.square().mean() - square) < 0.03 * square.clamp(min=1)


def test_samples_of_images_are_means_and_those_of_vectors_draws():
    image, table = Bernoulli(IMAGE), Gaussian(TABLE)
    h = torch.randn(4, 24)
    assert torch.equal(image.sample(h), image.mean(h))
    drawn = table.sample(torch.zeros(20_000, 3))
    assert torch.allclose(drawn.std(0), torch.tensor(TABLE.scale), rtol=0.05)


def test_auto_takes_bernoulli_for_images_and_for_zeros_and_ones_alone():
    bounded = Spec((3,), bounded=True)
    assert type(make_likelihood("auto", IMAGE)) is Bernoulli
    assert type(make_likelihood("auto", Spec((3,), bounded=True, binary=True))) is Bernoulli
    likelihood = make_likelihood("auto", bounded)
    drawn = likelihood.sample(torch.randn(500, 3))
    assert type(likelihood) is Gaussian and 0 <= drawn.min() < drawn.max() <= 1


@pytest.mark.parametrize("act", ["relu", "tanh", "identity"])
def test_a_dense_network_alternates_linear_maps_and_activations(act):
    net, x = mlp([3, 5, 4, 2], act), torch.randn(6, 3)
    f = {"relu": torch.relu, "tanh": torch.tanh, "identity": lambda v: v}[act]
    h = f(net[2](f(net[0](x))))
    assert torch.allclose(net(x), h @ net[4].weight.T + net[4].bias) and len(net) == 5
    assert mlp([3, 5, 2], act, bias_last=False)[-1].bias is None
