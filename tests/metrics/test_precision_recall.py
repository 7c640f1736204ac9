import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.metrics.neighbours import membership, radii
from nacre.metrics.precision_recall import precision_recall


def reference(real, generated, k):
    def inside(points, centers):
        own = torch.tensor([[float((a - b).norm()) for b in centers] for a in centers]).double()
        radius = own.sort(1).values[:, k]
        across = torch.tensor([[float((a - b).norm()) for b in centers] for a in points]).double()
        return float((across <= radius).any(1).double().mean())

    return inside(generated, real), inside(real, generated)


@pytest.mark.parametrize("k", [1, 3])
def test_it_is_the_definition(k):
    real, generated = torch.randn(40, 5).double(), 0.7 * torch.randn(30, 5).double() + 0.3
    assert precision_recall(real, generated, k) == pytest.approx(reference(real, generated, k), abs=1e-12)


def test_the_distances_are_exact_far_from_the_origin():
    x = torch.randn(700, 4).double()
    assert torch.allclose(radii(x, 3), torch.cdist(x, x).sort(1).values[:, 3].square(), rtol=1e-9)
    assert torch.allclose(radii(x + 1e6, 3), radii(x, 3), rtol=1e-6)


def test_duplicates_lie_in_balls_without_radius():
    x = torch.randn(6, 3).repeat_interleave(5, 0)  # four duplicates each: the third neighbour is at distance 0
    assert radii(x, 3).tolist() == [0.0] * 30
    assert precision_recall(x, x) == (1.0, 1.0)
    assert precision_recall(x, x + 1e-3) == (0.0, 0.0)
    counts, holds, reached = membership(x[:1], x, torch.zeros(1), torch.zeros(30))
    assert counts.tolist() == [5]
    assert holds.tolist() == reached.tolist() == [True] * 5 + [False] * 25


def test_limits():
    x = torch.randn(100, 2)
    assert precision_recall(x, x) == (1.0, 1.0)
    assert precision_recall(x, x + 100) == (0.0, 0.0)
    precision, recall = precision_recall(x, x[:4].repeat(25, 1))  # collapsed onto real examples
    assert precision == 1.0
    assert recall == pytest.approx(0.04)


def test_uniform_squares_that_overlap_by_half():
    generator = torch.Generator().manual_seed(0)
    real, generated = torch.rand(3000, 2, generator=generator), torch.rand(3000, 2, generator=generator)
    generated[:, 0] += 0.5
    assert precision_recall(real, generated) == pytest.approx((0.5, 0.5), abs=0.04)


def test_as_many_samples_as_real_examples(vae):
    precision, recall = nacre.evaluate(vae, "digits", ["precision_recall"])
    assert (precision.name, recall.name) == ("precision", "recall")
    assert precision.protocol.n_real == precision.protocol.n_generated == 360
    assert "k = 3" in str(precision.protocol)
    for result in (precision, recall):
        assert result.interval[0] <= result.value <= result.interval[1]
        assert set(result.references) == {"real against real", "noisy reals"}


def test_too_few_are_refused(digits):
    with pytest.raises(NacreError, match="needs 4 samples and real examples, and there are 3"):
        nacre.evaluate(digits.examples(3).x, "digits", ["precision_recall"], features="pixels")
