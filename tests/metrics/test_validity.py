"""Validity: a perfect sampler, a collapsed one, and rows that no grammar derives."""

import pytest
import torch

import nacre
from nacre.metrics.context import Context
from nacre.metrics.embedded import noisy
from nacre.metrics.validity import bigram_divergence, bigrams, measure


@pytest.fixture(scope="module")
def model():
    return nacre.create("lstm", nacre.load_data("grammar").spec, hidden=4)


def judged(model, x):
    context = Context(model, nacre.load_data("grammar"))
    context.__dict__["generated"] = x
    return {result.name: result for result in measure(context)}


def test_a_perfect_sampler(model):
    grammar = nacre.load_data("grammar").density
    found = judged(model, grammar.sample(5000, seed=77))
    assert found["validity"].value == 1 and found["validity"].references["real examples"] == 1
    distinct = found["distinct_valid"]
    expected = sum(4**k * (1 - (1 - 4.0**-k / 6) ** 5000) for k in range(6))  # of 5,000 draws from the law
    assert distinct.value == pytest.approx(expected, abs=50)
    assert distinct.references["all strings"] == 1365 > expected
    assert 0 < distinct.details["not in the training data"] < distinct.value
    assert found["length_distance"].value < 0.03 and found["bigram_divergence"].value < 0.01


def test_collapse_is_seen(model):
    found = judged(model, nacre.load_data("grammar").density.sample(1, seed=0).repeat(5000, 1))
    assert found["validity"].value == 1 and found["distinct_valid"].value == 1
    assert found["length_distance"].value == pytest.approx(5 / 6)
    assert found["bigram_divergence"].value > 0.5


def test_noise_is_invalid(model):
    noise = torch.randint(6, (5000, 12), generator=torch.Generator().manual_seed(0)).float()
    found = judged(model, noise)
    assert found["validity"].value < 0.01 and found["distinct_valid"].value <= 50
    assert found["validity"].interval[0] <= found["validity"].value <= found["validity"].interval[1]


def test_bigrams_count_the_end_and_nothing_behind_it():
    grammar = nacre.load_data("grammar").density
    x = torch.zeros(1, 12)
    x[0, :3] = torch.tensor([1.0, 2.0, 1.0])  # x+x
    counts = bigrams(x, grammar) * (3 + 0.5 * 36) - 0.5
    found = counts.round().long().nonzero().flatten().tolist()
    assert found == [1 * 6 + 0, 1 * 6 + 2, 2 * 6 + 1]
    assert bigram_divergence(x, x, grammar) == 0


def test_other_data_have_no_grammar():
    with pytest.raises(nacre.NacreError, match="known grammar"):
        nacre.evaluate(nacre.create("gan", nacre.load_data("ring").spec), "ring", ["validity"])


def test_noise_keeps_categories_among_their_names():
    """The noisy reference of strings and tables is made of symbols that there are."""
    data = nacre.load_data("grammar")
    found = noisy(data.x, data.spec, seed=0)
    assert set(found.unique().tolist()) == set(range(6))
    assert 0 < (found != data.x).double().mean() < 0.05
