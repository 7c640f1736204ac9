"""Importance sampling against exact likelihoods, and a machine's likelihood with its gap."""

import math
from functools import partial

import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.losses.importance import importance_bound
from nacre.metrics import evaluate, log_likelihood, partition


def fixed_weights(log_w: torch.Tensor):
    """A proposal whose k-th draw for every example has the k-th of the given log-weights (draws, n)."""
    left = iter(log_w)

    def log_weight(x: torch.Tensor) -> torch.Tensor:
        copies = len(x) // log_w.shape[1]
        return torch.stack([next(left) for _ in range(copies)], 1).flatten()

    return log_weight


def test_the_bound_and_the_effective_draws_are_those_of_all_weights_at_once():
    log_w = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)) * 3 - 500
    w = (log_w.double() + 500).exp()  # in float64, without a logarithm's sum
    wanted = torch.stack([w.mean(0).log() - 500, w.sum(0).square() / w.square().sum(0)], 1)
    for at_once in (3, 7, 300, None):
        found = importance_bound(fixed_weights(log_w), torch.zeros(3, 2), draws=1000, at_once=at_once)
        assert torch.allclose(found.double(), wanted, rtol=1e-6)


def test_no_more_rows_than_fit_are_decoded_at_once():
    sizes = []

    def log_weight(x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        assert len(x) == len(h)
        sizes.append(len(x))
        return torch.zeros(len(x))

    x, h = torch.zeros(5, 3, 64, 64), torch.zeros(5, 2)
    assert importance_bound(log_weight, x, h, draws=2000)[:, 1].tolist() == pytest.approx([2000] * 5)
    assert max(sizes) * 4 * 64 * 3 * 64 * 64 <= 512e6 and sum(sizes) == 10_000
    sizes.clear()
    importance_bound(log_weight, x, h, draws=3, at_once=2)
    assert max(sizes) == 2 and sum(sizes) == 15
    with pytest.raises(NacreError, match="draws is 0"):
        importance_bound(log_weight, x, h, draws=0)


def test_it_is_the_exact_likelihood_of_a_linear_gaussian_model(linear_gaussian):
    """With the exact posterior all weights are equal; with a shifted one many draws come within 0.01 nats."""
    model, x, exact, _ = linear_gaussian(500)
    (found,) = evaluate(model, x.numpy(), ["log_likelihood"], draws=2)
    assert found.value == pytest.approx(float(exact.mean()), abs=1e-3)
    assert found.details["effective_draws"] == pytest.approx(2, abs=1e-3)
    with torch.no_grad():
        model.encoder[1].bias[:2] += 0.3
    found = {k: evaluate(model, x.numpy(), ["log_likelihood"], draws=k)[0] for k in (1, 10, 1000)}
    assert found[1].value < found[10].value < found[1000].value + 0.01
    assert found[1000].value == pytest.approx(float(exact.mean()), abs=0.01)
    assert 1 < found[10].details["effective_draws"] < 10
    error = float(exact.std() / len(exact) ** 0.5)
    assert found[1000].details["standard_error"] == pytest.approx(error, rel=0.02)
    assert found[1000].interval[0] < float(exact.mean()) < found[1000].interval[1]


def test_the_rows_are_limited_and_the_protocol_says_so(vae, monkeypatch):
    monkeypatch.setattr(log_likelihood, "ROWS", 50)
    few, many = (evaluate(vae, "digits", ["log_likelihood"], draws=k)[0] for k in (99, 100))
    assert (few.protocol.n_real, many.protocol.n_real) == (360, 50)
    assert "importance-sampled with 100 draws (grey values as Bernoulli probabilities)" in many.protocol.method
    assert many.details["draws"] == 100


def test_few_effective_draws_are_warned_of(linear_gaussian):
    model, x, _, _ = linear_gaussian(100)
    with torch.no_grad():
        model.encoder[1].bias[:2] += 3
    (found,) = evaluate(model, x.numpy(), ["log_likelihood"], draws=50)
    assert "effective draws of 50; raise draws" in found.warnings[0]
    assert found.details["effective_draws_median"] < 5


def test_a_machine_is_scored_with_the_exact_constant(rbm, digits):
    (found,) = evaluate(rbm, digits, ["log_likelihood"], seed=3)
    x = digits.sibling("test").examples().x
    weights = [w.detach().double() for w in rbm.machine.plain()]
    log_z = partition.exact_log_partition(*weights)
    scores = -partition.free_energy(rbm.binary(x).double(), *weights) - log_z
    assert found.value == pytest.approx(float(scores.mean()), abs=0.3)  # grey values are drawn as Bernoulli
    assert found.details["log_z"] == pytest.approx(log_z)
    assert "log Z exact" in found.protocol.method


def test_an_annealed_machine_gives_both_directions_and_their_gap(rbm, digits, monkeypatch):
    exact = evaluate(rbm, digits, ["log_likelihood"])[0]
    monkeypatch.setattr(partition, "ENUMERABLE", 4)
    monkeypatch.setattr(partition, "ais_log_partition", partial(partition.ais_log_partition, temperatures=1_000))
    found, gap = evaluate(rbm, digits, ["log_likelihood"])
    assert found.value == pytest.approx(exact.value, abs=0.1)
    (reverse,) = found.references.values()
    assert gap.name == "ais_gap" and found.value - reverse == pytest.approx(gap.value)
    assert gap.value == pytest.approx(found.details["log_z_reverse"] - found.details["log_z"])
    assert gap.interval[0] < gap.value < gap.interval[1]
    assert found.details["standard_error"] > exact.details["standard_error"]
    assert 20 < found.details["effective_sample_size"] <= 100
    assert not found.warnings


def test_a_wide_gap_and_few_chains_are_warned_of(digits, monkeypatch):
    monkeypatch.setattr(partition, "ais_log_partition", partial(partition.ais_log_partition, chains=20, temperatures=2))
    machine = nacre.create("rbm", digits.spec, hidden=64)
    torch.nn.init.normal_(machine.machine.weight, std=1.0, generator=torch.Generator().manual_seed(0))
    found, gap = evaluate(machine, digits, ["log_likelihood"], n=50)
    assert abs(gap.value) > 0.5
    assert any("effective chains" in warning for warning in found.warnings)
    assert math.isfinite(found.value)


def test_a_model_without_a_density_is_refused():
    with pytest.raises(NacreError, match="its density is implicit"):
        evaluate(nacre.create("gan", nacre.load_data("ring").spec), "ring", ["log_likelihood"])
