"""Matching the values of a code to classes."""

import itertools

import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.metrics.clusters import matched


def test_the_matching_is_the_best_of_all():
    generator = torch.Generator().manual_seed(0)
    codes, classes = torch.randint(4, (300,), generator=generator), torch.randint(3, (300,), generator=generator)
    best = max(
        sum(int(((codes == k) & (classes == c)).sum()) for c, k in enumerate(chosen))
        for chosen in itertools.permutations(range(4), 3)
    )
    assert matched(codes, classes, 4, 3) == pytest.approx(best / 300)
    assert matched((classes + 1) % 3, classes, 4, 3) == 1


def test_a_code_that_says_nothing_is_no_better_than_chance(digits):
    model = nacre.create("infogan", digits.spec, hidden=(8,), categories=(10,))
    (result,) = nacre.evaluate(model, digits, ["clusters"])
    assert 0.1 <= result.value < 0.4
    held = digits.sibling("test")
    assert result.references["one class"] == pytest.approx(float(held.y.bincount().max() / len(held)), abs=1e-6)


def test_a_model_without_a_categorical_code_is_refused(vae, digits):
    with pytest.raises(NacreError, match="no categorical code"):
        nacre.evaluate(vae, digits, ["clusters"])
