import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.metrics.kernel_distance import discrepancy, subset_discrepancies


def test_it_is_the_formula():
    a, b = torch.randn(7, 3).double(), 1 + torch.randn(5, 3).double()

    def k(x, y):
        return (float(x @ y) / 3 + 1) ** 3

    within_a = sum(k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j) / (7 * 6)
    within_b = sum(k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j) / (5 * 4)
    across = sum(k(x, y) for x in a for y in b) / (7 * 5)
    assert discrepancy(a, b) == pytest.approx(within_a + within_b - 2 * across, rel=1e-12)


def test_it_has_no_bias():
    a, b = torch.randn(4000, 10).double(), torch.randn(4000, 10).double()
    values = torch.tensor([discrepancy(x, y) for x, y in zip(a.split(20), b.split(20), strict=True)])
    assert abs(float(values.mean())) < 3 * float(values.std()) / 200**0.5
    assert float(values.min()) < 0  # an estimate without bias is below 0 as often as not


def test_the_closed_form_of_two_points():
    # Means in the feature space of k: E k(x, x') = (c^2 / d |1|^2 + 1)^3 for constant rows of value c.
    a, b = torch.zeros(50, 4), torch.full((50, 4), 2.0)
    assert discrepancy(a, b) == pytest.approx(1 + 5**3 - 2, rel=1e-12)


def test_subsets_are_drawn_from_both_and_seeded():
    a, b = torch.randn(300, 4), torch.randn(400, 4) + 0.5
    values = subset_discrepancies(a, b, 40, 100, seed=1)
    assert torch.equal(values, subset_discrepancies(a, b, 40, 100, seed=1))
    assert float(values.mean()) == pytest.approx(discrepancy(a, b), abs=3 * float(values.std()) / 40**0.5)


def test_the_interval_covers_the_value_of_much_more_data():
    generator = torch.Generator().manual_seed(0)
    much = torch.randn(1500, 3, generator=generator), 0.4 + torch.randn(1500, 3, generator=generator)
    hits = 0
    for _ in range(20):
        real = nacre.load_data(torch.randn(200, 3, generator=generator))
        real.spec = nacre.load_data(torch.tensor([[-1.0], [1.0]]).expand(2, 3)).spec  # unit scale: values as they are
        samples = 0.4 + torch.randn(200, 3, generator=generator)
        (result,) = nacre.evaluate(samples, real, ["kernel_distance"], features="pixels", quick=True)
        scale = float(real.x.square().mean()) ** 0.5
        truth = discrepancy(much[0] / scale, much[1] / scale)
        hits += result.interval[0] < truth < result.interval[1]
    assert hits >= 17


def test_the_protocol_and_the_lines(vae):
    (result,) = nacre.evaluate(vae, "digits", ["kernel_distance"], n=200, quick=True)
    assert result.protocol.method == "20 subsets of 100, kernel (x'y/d + 1)^3 at mean square 1"
    assert result.value > result.references["real against real"]


def test_a_sampler_of_the_mean_is_seen(digits):
    x = digits.examples(600).x
    faded = 0.5 + 0.01 * (x - 0.5)  # small values, of which the bare kernel would see the mean alone
    means = faded.mean(0).expand(300, -1, -1, -1)
    (result,) = nacre.evaluate(means, faded, ["kernel_distance"], features="pca")
    assert result.interval[0] > 10 * abs(result.references["real against real"])


def test_too_few_are_refused(digits):
    with pytest.raises(NacreError, match="needs 4 samples and real examples, and there are 3"):
        nacre.evaluate(digits.examples(3).x, "digits", ["kernel_distance"], features="pixels")
