import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.metrics.rarest_class import extremes, shares


def test_the_extremes_are_over_the_classes_there_are():
    real = torch.tensor([0.5, 0.25, 0.25, 0.0])
    found = extremes(torch.tensor([0.5, 0.4, 0.1, 0.0]), real)
    assert found == [(pytest.approx(0.4), 2), (pytest.approx(1.6), 1)]
    assert extremes(shares(torch.tensor([0, 0, 1, 3]), 4), real)[0] == (0.0, 2)


def test_a_lost_class_has_an_interval_from_zero(digits):
    real = digits.examples()
    result, most = nacre.evaluate(real.x[real.y != 7], "digits", ["rarest_class"], features="pca")
    assert result.details["class"] == "7"
    assert most.name == "commonest_class" and 1 < most.value < 2 and most.details["class"] != "7"
    assert result.value < 0.05
    assert result.interval[0] <= result.value < result.interval[1] < 0.15
    assert result.references["real examples"] > 0.8
    assert result.protocol.features.startswith("classifier features")


def test_data_without_labels_are_refused():
    x = torch.rand(100, 3)
    with pytest.raises(NacreError, match="no labels that a classifier was trained on"):
        nacre.evaluate(x, x, ["rarest_class"])
