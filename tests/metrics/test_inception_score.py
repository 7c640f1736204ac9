import math

import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.metrics.inception_score import score, split_scores


def test_limits():
    assert float(score(torch.eye(10).double())) == pytest.approx(10)
    assert float(score(torch.eye(10)[[0] * 7].double())) == pytest.approx(1)
    assert float(score(torch.full((5, 10), 0.1).double())) == pytest.approx(1)


def test_it_is_the_formula():
    p = torch.randn(20, 4).double().softmax(1)
    marginal = p.mean(0).tolist()
    divergences = [sum(a * math.log(a / b) for a, b in zip(row, marginal, strict=True)) for row in p.tolist()]
    assert float(score(p)) == pytest.approx(math.exp(sum(divergences) / 20), rel=1e-12)


def test_splits_are_disjoint_and_as_long_as_asked():
    p = torch.eye(10).double().repeat(6, 1)
    scores = split_scores(p, 20, seed=0)
    assert len(scores) == 3
    assert float(split_scores(p, 60, seed=0)) == pytest.approx(10)
    assert torch.equal(scores, split_scores(p, 20, seed=0))
    assert scores.max() < 10  # a random split misses some evenness


def test_samples_have_splits_as_long_as_those_of_real_examples(vae, digits):
    (result,) = nacre.evaluate(digits.examples().x, "digits", ["inception_score"])
    assert result.protocol.method == "classes by the data's classifier, 39 splits of 36"
    assert result.references["real examples"] == pytest.approx(result.value, rel=0.06)
    assert "splits of 36 samples are short for 10 classes" in result.warnings[0]
    assert result.interval[0] < result.value < result.interval[1] <= 10


def test_data_without_labels_have_none():
    x = torch.rand(100, 3)
    with pytest.raises(NacreError, match="no labels that a classifier was trained on"):
        nacre.evaluate(x, x, ["inception_score"])
