"""The Parzen window against scikit-learn and closed forms, and its trap."""

import math

import pytest
import torch
from sklearn.neighbors import KernelDensity

import nacre
from nacre.metrics import evaluate
from nacre.metrics.context import Context
from nacre.metrics.parzen import log_density, measure, parts, scored


def test_it_agrees_with_scikit_learn():
    torch.manual_seed(0)
    centers, x = torch.randn(300, 5, dtype=torch.float64), torch.randn(137, 5, dtype=torch.float64)
    widths = torch.tensor([0.7, 3.0], dtype=torch.float64)
    found = log_density(x, centers, widths, chunk=50)
    for width, values in zip(widths.tolist(), found, strict=True):
        wanted = KernelDensity(bandwidth=width).fit(centers.numpy())
        assert values.numpy() == pytest.approx(wanted.score_samples(x.numpy()), abs=1e-6)


def test_it_agrees_with_the_formula_where_the_kernels_are_narrow():
    from scipy.spatial.distance import cdist
    from scipy.special import logsumexp

    torch.manual_seed(0)
    centers, x = torch.randn(30, 5, dtype=torch.float64), 2 * torch.randn(40, 5, dtype=torch.float64)
    (found,) = log_density(x, centers, torch.tensor([0.05], dtype=torch.float64))
    squares = cdist(x.numpy(), centers.numpy(), "sqeuclidean")
    wanted = logsumexp(-squares / 0.005, axis=1) - math.log(30) - 2.5 * math.log(2 * math.pi * 0.0025)
    assert found.numpy() == pytest.approx(wanted, rel=1e-9)


def test_one_kernel_is_a_normal_density():
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    (value,) = log_density(x, torch.zeros(1, 2, dtype=torch.float64), torch.tensor([2.0], dtype=torch.float64))
    assert value.item() == pytest.approx(-5 / 8 - math.log(2 * math.pi * 4), abs=1e-12)


def test_the_chosen_width_is_the_best_one():
    """For centers all at 0 and data N(0, s^2) the best width is s, up to the grid and the sample."""
    torch.manual_seed(0)
    validation = 0.7 * torch.randn(4000, 3, dtype=torch.float64)
    scores, width = scored(torch.zeros(2, 3, dtype=torch.float64), validation, validation)
    assert width == pytest.approx(float(validation.square().mean().sqrt()), rel=0.02)
    for other in (0.9 * width, 1.1 * width):
        widths = torch.tensor([other], dtype=torch.float64)
        assert log_density(validation, torch.zeros(2, 3, dtype=torch.float64), widths).mean() < scores.mean()


def test_it_comes_near_the_density_of_the_ring():
    ring = nacre.load_data("ring")
    (found,) = evaluate(ring.density.sample(1000, seed=77), "ring", ["parzen"], n=1000)
    entropy = float(ring.density.log_prob(ring.sibling("test").x.double()).mean())
    assert entropy - 0.3 < found.value < entropy
    assert found.references["real training examples"] == pytest.approx(found.value, abs=0.1)
    assert found.protocol.n_generated == 1000 and found.protocol.n_real == 1000
    assert found.interval[0] < found.value < found.interval[1]


def test_blurred_samples_beat_real_ones_and_are_warned_of(digits):
    """The trap: 200 class-wise blends of training digits score higher than 200 training digits."""
    train = digits.examples()
    blends = torch.stack([train.x[train.y == i % 10][torch.randperm(130)[:6]].mean(0) for i in range(200)])
    (found,) = evaluate(blends, digits, ["parzen"])
    assert found.value > found.references["real training examples"]
    assert "blurred" in found.warnings[0] and found.better == ""


def test_the_three_sets_are_disjoint(vae, digits):
    for context in (Context(vae, digits), Context(vae, digits.sibling("test").subset(torch.arange(90)))):
        rows = [{row.numpy().tobytes() for row in part} for part in parts(context)]
        assert all(rows) and sum(map(len, rows)) == len(set.union(*rows))


def test_without_a_training_split_thirds_are_used(vae, digits):
    x = digits.examples(91).x
    context = Context(vae, nacre.load_data(x.numpy()))
    assert [len(part) for part in parts(context)] == [31, 30, 30]
    assert measure(context)[0].protocol.n_generated == 30


def test_it_is_measured_only_when_named(vae):
    report = evaluate(vae, "digits", quick=True)
    assert "parzen" not in {result.name for result in report}
