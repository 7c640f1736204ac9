import pytest
import torch
from torch import nn

import nacre
from nacre.classifier import Classifier
from nacre.errors import NacreError
from nacre.nets.mlp import mlp


@pytest.fixture(scope="module")
def digits():
    return nacre.load_data("digits")


def trunk() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), *mlp([64, 64, 32]), nn.ReLU())


def test_it_learns_digits(digits):
    torch.manual_seed(0)
    classifier = Classifier(digits.spec, trunk()).fit(digits, steps=300, progress=False)
    test = nacre.load_data("digits:test")
    assert classifier.accuracy(test) > 0.85
    x = test.examples(5).x
    assert classifier.embed(x).shape == (5, 32)
    assert torch.allclose(classifier.classify(x).sum(1), torch.ones(5))


def test_a_frozen_trunk_stays_as_it_is(digits):
    torch.manual_seed(0)
    classifier = Classifier(digits.spec, trunk(), frozen=1.0)
    before = [p.clone() for p in classifier.trunk.parameters()]
    head = classifier.head.weight.clone()
    classifier.fit(digits, steps=5, progress=False)
    assert all(torch.equal(a, b) for a, b in zip(before, classifier.trunk.parameters(), strict=True))
    assert not torch.equal(head, classifier.head.weight)


def test_the_trunk_joins_after_its_share(digits):
    classifier = Classifier(digits.spec, trunk(), frozen=0.5)
    assert [phase.name for phase in classifier.phases()] == ["head", "all"]
    before = next(classifier.trunk.parameters()).clone()
    classifier.fit(digits, steps=4, progress=False)
    assert not torch.equal(before, next(classifier.trunk.parameters()))


def test_mistakes_are_named(digits):
    with pytest.raises(NacreError, match="at least two classes"):
        Classifier(nacre.load_data("swiss-roll").spec, nn.Flatten())
    with pytest.raises(NacreError, match="frozen is 2"):
        Classifier(digits.spec, trunk(), frozen=2.0)
