"""`partition_gap`: both directions of annealing against the exact sum of a small machine."""

import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.metrics import partition_gap


def machine(hidden: int, scale: float):
    """A machine of random weights on the digits, binarized by its own sampling."""
    torch.manual_seed(0)
    model = nacre.create("rbm", nacre.load_data("digits").spec, hidden=hidden)
    with torch.no_grad():
        model.machine.weight.normal_(std=scale)
        model.machine.visible_bias.normal_()
    return model


def test_both_directions_are_near_the_exact_sum(monkeypatch):
    monkeypatch.setattr(partition_gap, "TEMPERATURES", 1_000)
    report = nacre.evaluate(machine(8, 0.3), "digits", ["partition_gap"])
    error, gap = report.get("ais_error"), report.get("ais_gap")
    exact, forward, reverse = (error.details[key] for key in ("exact", "forward", "reverse"))
    assert error.value == max(abs(forward - exact), abs(reverse - exact)) <= 0.05
    assert gap.value == pytest.approx(reverse - forward)
    assert abs(gap.value) <= 0.1


def test_too_few_temperatures_are_seen(monkeypatch):
    monkeypatch.setattr(partition_gap, "TEMPERATURES", 5)
    report = nacre.evaluate(machine(8, 1.5), "digits", ["partition_gap"])
    assert report.get("ais_gap").value > 1
    assert report.get("ais_error").value > 0.5


def test_a_large_machine_has_a_gap_but_no_exact_value(monkeypatch):
    monkeypatch.setattr(partition_gap, "TEMPERATURES", 20)
    assert [result.name for result in nacre.evaluate(machine(21, 0.1), "digits", ["partition_gap"])] == ["ais_gap"]


def test_other_models_cannot_be_judged_by_it():
    with pytest.raises(NacreError, match="no restricted Boltzmann machine"):
        nacre.evaluate(nacre.create("ae", nacre.load_data("digits").spec), "digits", ["partition_gap"])
