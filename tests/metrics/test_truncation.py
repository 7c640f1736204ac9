"""Precision gained and recall lost by a narrower prior, on a model whose law is known."""

from itertools import pairwise

import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.metrics.context import Context


@pytest.fixture
def wide():
    """A generator 3 z, and examples of N(0, I) in 8 dimensions."""
    x = torch.randn(1500, 8, generator=torch.Generator().manual_seed(0))
    data = nacre.load_data(x.numpy(), split="all")
    model = nacre.create("gan", data.spec, latent=8, hidden=(2,))
    model.generator = torch.nn.Linear(8, 8, bias=False)
    with torch.no_grad():
        model.generator.weight.copy_(3 * torch.eye(8))
    return model, data


def test_a_narrower_prior_gains_precision_and_loses_recall(wide):
    gained, lost = nacre.evaluate(*wide, ["truncation"], n=1500)
    assert (gained.name, lost.name) == ("truncation_precision", "truncation_recall")
    assert gained.value > 0 and lost.value > 0
    lines = list(lost.references.values())
    assert list(lost.references) == ["|z| as drawn", "|z| at most 1", "|z| at most 0.7", "|z| at most 0.4"]
    assert lost.value == pytest.approx(min(a - b for a, b in pairwise(lines)))


def test_samples_are_drawn_from_the_truncated_prior(wide):
    context = Context(*wide)
    assert float(context.sample(500, 0).x.abs().max()) > 3
    assert float(context.sample(500, 0, truncation=0.1).x.abs().max()) <= 0.3 + 1e-6


def test_a_model_without_a_normal_prior_is_refused(rbm, digits):
    with pytest.raises(NacreError, match="normal prior"):
        nacre.evaluate(rbm, digits, ["truncation"])
