"""log Z against enumeration, and what annealing says where it is too short."""

import itertools
import math
from functools import partial

import pytest
import torch

from nacre.errors import NacreError
from nacre.metrics import partition as partition_module
from nacre.metrics.partition import (
    ais_log_partition,
    exact_log_partition,
    free_energy,
    log_partition,
)


def machine(visible: int, hidden: int, scale: float = 1.0):
    g = torch.Generator().manual_seed(0)
    return tuple(
        scale * torch.randn(*s, generator=g, dtype=torch.float64) for s in ((visible, hidden), (visible,), (hidden,))
    )


def states(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)), dtype=torch.float64)


def exact_samples(w, b, c, n: int) -> torch.Tensor:
    """States v of a machine with few hidden units, by enumerating these."""
    h = states(len(c))
    h = h[torch.multinomial((-free_energy(h, w.T, c, b)).softmax(0), n, replacement=True)]
    return torch.bernoulli((b + h @ w.T).sigmoid())


def test_exact_is_the_sum_over_all_joint_states():
    w, b, c = machine(6, 5)
    v, h = states(6), states(5)
    energy = -(v @ b)[:, None] - h @ c - v @ w @ h.T
    brute = float(torch.logsumexp(-energy.flatten(), 0))
    assert exact_log_partition(w, b, c) == pytest.approx(brute, rel=1e-12)
    assert exact_log_partition(w.T, c, b, chunk=7) == pytest.approx(brute, rel=1e-12)
    assert float(torch.logsumexp(-free_energy(v, w, b, c), 0)) == pytest.approx(brute, rel=1e-12)
    assert free_energy(v, w, b, c).allclose(-torch.logsumexp(-energy, 1))


def test_independent_units_have_a_closed_form_and_need_no_annealing():
    b, c = torch.randn(7), torch.randn(30)
    wanted = float(torch.nn.functional.softplus(torch.cat([b, c]).double()).sum())
    assert exact_log_partition(torch.zeros(7, 30), b, c) == pytest.approx(wanted)
    found = ais_log_partition(torch.zeros(7, 30), b, c, temperatures=1)
    assert found.value == pytest.approx(wanted, abs=1e-5) and found.upper == pytest.approx(wanted, abs=1e-5)
    assert found.sd < 1e-6 and found.effective_sample_size == pytest.approx(100)


def test_annealing_finds_the_enumerated_value_both_ways(rbm):
    """A trained machine of 16 hidden units: within 0.05 nats, and within 3 of its own standard deviations."""
    w, b, c = (value.detach().double() for value in rbm.machine.plain())
    exact = exact_log_partition(w, b, c)
    found = ais_log_partition(w, b, c, chains=200, temperatures=1_000)
    assert found.value == pytest.approx(exact, abs=0.05) and found.upper == pytest.approx(exact, abs=0.05)
    assert abs(found.value - exact) < 3 * found.sd and abs(found.upper - exact) < 3 * found.upper_sd
    assert 100 < found.effective_sample_size <= 200
    assert found.gap_interval[0] < found.gap == found.upper - found.value < found.gap_interval[1]


def test_the_average_of_the_weights_is_right_however_few_the_temperatures():
    """Z has no bias: over many chains even 3 temperatures give it, up to the error that is told."""
    w, b, c = machine(8, 6, 0.6)
    exact = exact_log_partition(w, b, c)
    found = ais_log_partition(w, b, c, chains=20_000, temperatures=3, start=exact_samples(w, b, c, 20_000))
    assert 0 < found.sd < 0.1
    assert abs(found.value - exact) < 4 * found.sd
    assert abs(found.upper - exact) < 4 * found.upper_sd


def test_the_error_that_is_told_is_that_over_seeds():
    w, b, c = machine(10, 8, 0.6)
    found = [ais_log_partition(w, b, c, chains=50, temperatures=20, seed=seed) for seed in range(40)]
    spread = float(torch.tensor([partition.value for partition in found]).std())
    told = sum(partition.sd for partition in found) / len(found)
    assert 0.6 < told / spread < 1.6


def test_too_few_temperatures_underestimate_forwards_and_overestimate_backwards():
    w, b, c = machine(20, 12, 1.2)
    exact = exact_log_partition(w, b, c)
    found = ais_log_partition(w, b, c, chains=50, temperatures=5, start=exact_samples(w, b, c, 50))
    assert found.value < exact < found.upper
    assert found.effective_sample_size < 25


def test_the_base_changes_the_path_not_the_answer():
    w, b, c = machine(30, 12, 0.3)
    base = torch.zeros(30, dtype=torch.float64)
    found = ais_log_partition(w, b, c, base=base, temperatures=1_000)
    assert found.value == pytest.approx(exact_log_partition(w, b, c), abs=0.05)
    assert found.upper == pytest.approx(exact_log_partition(w, b, c), abs=0.05)


def test_log_partition_picks_and_says_the_method(monkeypatch):
    monkeypatch.setattr(partition_module, "ais_log_partition", partial(ais_log_partition, temperatures=500))
    small = log_partition(*machine(40, 5))
    assert small.exact and small.method == "exact" and small.sd == small.gap == 0
    assert math.isinf(small.effective_sample_size)
    large = machine(25, 22, 0.1)
    partition = log_partition(*large, seed=1)
    assert partition.method == "by AIS, 100 chains, 500 temperatures" and not partition.exact
    assert partition.value == pytest.approx(partition.upper, abs=0.01)
    with pytest.raises(NacreError, match="20 units"):
        exact_log_partition(*large)


def test_mistakes_and_seeds():
    small = machine(4, 3)
    with pytest.raises(NacreError, match="chains is 1"):
        ais_log_partition(*small, chains=1)
    with pytest.raises(NacreError, match="temperatures is 0"):
        ais_log_partition(*small, temperatures=0)
    state = torch.get_rng_state()
    first, again, other = (ais_log_partition(*small, temperatures=3, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert torch.equal(state, torch.get_rng_state())
