"""`ais_error`: annealing against the exact sum of a small machine."""

from functools import partial

import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.metrics import ais_error
from nacre.metrics.partition import ais_log_partition


def judged(monkeypatch, hidden: int, scale: float, temperatures: int):
    """The result for a machine of random weights on the digits."""
    monkeypatch.setattr(ais_error, "ais_log_partition", partial(ais_log_partition, temperatures=temperatures))
    torch.manual_seed(0)
    model = nacre.create("rbm", nacre.load_data("digits").spec, hidden=hidden)
    with torch.no_grad():
        model.machine.weight.normal_(std=scale)
        model.machine.visible_bias.normal_()
    return nacre.evaluate(model, "digits", ["ais_error"]).get("ais_error")


def test_both_directions_are_near_the_exact_sum(monkeypatch):
    result = judged(monkeypatch, 8, 0.3, 1_000)
    assert result.value == max(abs(result.details["forward"]), abs(result.details["reverse"])) <= 0.05
    low, high = result.interval
    assert low < result.value < high


def test_too_few_temperatures_are_seen(monkeypatch):
    result = judged(monkeypatch, 8, 1.5, 5)
    assert result.value > 0.5
    assert result.details["forward"] < 0, "forward annealing is too low on average"


def test_other_models_cannot_be_judged_by_it(monkeypatch):
    with pytest.raises(NacreError, match="its smaller side has 21 units, more than 20"):
        judged(monkeypatch, 21, 0.1, 5)
    with pytest.raises(NacreError, match="no restricted Boltzmann machine"):
        nacre.evaluate(nacre.create("ae", nacre.load_data("digits").spec), "digits", ["ais_error"])
