"""Obedience of conditional samples: planted samplers that obey, disobey, and miss by a known amount."""

import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.model import Model


class Asked(Model):
    """Answers with real examples of the label asked for, or of the next one, and remembers what it was asked."""

    def __init__(self, spec, data, off=0):
        super().__init__(spec)
        self.data, self.off = data.examples(), off

    def sample(self, n, *, seed=None, labels=None, attributes=None):
        wanted = (labels + self.off) % 10
        first = [int((self.data.y == label).nonzero()[i % 100]) for i, label in enumerate(wanted.tolist())]
        return self.data.x[first]


class Bars(Model):
    """Vertical strokes of the thickness asked for, times a factor."""

    def __init__(self, spec, factor):
        super().__init__(spec)
        self.factor = factor

    def sample(self, n, *, seed=None, labels=None, attributes=None):
        thickness = attributes[:, 0].nan_to_num(3.0) * self.factor
        width = thickness * 20 / (20 - thickness)  # the stroke's ends are a part of its boundary
        return torch.cat([bar(float(w)) for w in width])


def bar(width):
    columns = torch.arange(20.0)
    row = (width - columns).clamp(0, 1)
    return row.roll(5).expand(1, 1, 20, 20).clone()


def test_labels_that_are_obeyed_and_that_are_not(digits):
    good = nacre.evaluate(Asked(digits.spec, digits), digits, ["obedience"], n=500).get("label_obeyed")
    assert good.value > 0.97 and good.interval[0] < good.value <= good.interval[1]
    assert good.references["held-out examples"] > 0.93
    assert nacre.evaluate(Asked(digits.spec, digits, 1), digits, ["obedience"], n=500).get("label_obeyed").value < 0.03


def test_an_attribute_that_is_missed_by_a_fifth(tmp_path):
    x = torch.cat([bar(float(w)) for w in torch.rand(300) * 4 + 2])
    data = nacre.load_data(x.numpy(), attributes=("thickness",))
    exact = nacre.evaluate(Bars(data.spec, 1.0), data, ["obedience"]).get("thickness_error").value
    thick = nacre.evaluate(Bars(data.spec, 1.2), data, ["obedience"]).get("thickness_error")
    assert exact < 0.05 and 0.15 < thick.value < 0.25 and thick.unit == "of its mean"
    assert thick.references["always the median"] > 0.1


def test_examples_of_unknown_attributes_are_left_out():
    x = torch.cat([bar(float(w)) for w in torch.rand(300) * 4 + 2])
    data = nacre.load_data(x.numpy(), attributes=("thickness",))
    data.a[::3] = torch.nan
    assert nacre.evaluate(Bars(data.spec, 1.0), data, ["obedience"]).get("thickness_error").value < 0.05


def test_unconditional_models_were_not_asked(vae):
    with pytest.raises(NacreError, match="not asked for anything"):
        nacre.evaluate(vae, "digits", ["obedience"])
