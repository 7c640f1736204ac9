import itertools
import math

import pytest
import torch

from nacre.errors import NacreError
from nacre.metrics.partition import (
    ais_log_partition,
    exact_log_partition,
    free_energy,
    log_partition,
    reverse_ais_log_partition,
)


def machine(visible: int, hidden: int, scale: float = 1.0):
    g = torch.Generator().manual_seed(0)
    return tuple(
        scale * torch.randn(*s, generator=g, dtype=torch.float64) for s in ((visible, hidden), (visible,), (hidden,))
    )


def states(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)), dtype=torch.float64)


def test_exact_is_the_sum_over_all_joint_states():
    w, b, c = machine(6, 5)
    v, h = states(6), states(5)
    energy = -(v @ b)[:, None] - h @ c - v @ w @ h.T
    brute = float(torch.logsumexp(-energy.flatten(), 0))
    assert exact_log_partition(w, b, c) == pytest.approx(brute, rel=1e-12)
    assert exact_log_partition(w.T, c, b, chunk=7) == pytest.approx(brute, rel=1e-12)
    assert float(torch.logsumexp(-free_energy(v, w, b, c), 0)) == pytest.approx(brute, rel=1e-12)
    assert free_energy(v, w, b, c).allclose(-torch.logsumexp(-energy, 1))


def test_independent_units_need_no_annealing():
    b, c = torch.randn(7), torch.randn(30)
    wanted = float(torch.nn.functional.softplus(torch.cat([b, c]).double()).sum())
    assert exact_log_partition(torch.zeros(7, 30), b, c) == pytest.approx(wanted)


def test_annealing_brackets_the_truth(rbm):
    w, b, c = (value.detach().double() for value in rbm.machine.plain())
    exact = exact_log_partition(w, b, c)
    forward = ais_log_partition(w, b, c, temperatures=1_000)
    backward = reverse_ais_log_partition(w, b, c, temperatures=1_000, burn_in=300)
    assert forward.value == pytest.approx(exact, abs=0.05)
    assert forward.value - 3 * forward.sd <= exact <= backward.value + 3 * backward.sd
    assert 50 < forward.effective_sample_size <= 100


def test_too_few_temperatures_underestimate_and_overestimate():
    w, b, c = machine(20, 12, 1.2)
    exact = exact_log_partition(w, b, c)
    forward = ais_log_partition(w, b, c, chains=50, temperatures=5)
    backward = reverse_ais_log_partition(w, b, c, chains=50, temperatures=5, burn_in=200)
    assert forward.value < exact < backward.value
    assert forward.effective_sample_size < 25


def test_the_base_changes_the_path_not_the_answer():
    w, b, c = machine(30, 12, 0.3)
    base = torch.zeros(30, dtype=torch.float64)
    assert ais_log_partition(w, b, c, base=base).value == pytest.approx(exact_log_partition(w, b, c), abs=0.05)


def test_log_partition_picks_and_says_the_method():
    small, large = machine(40, 5), machine(25, 22, 0.1)
    assert log_partition(*small).method == "exact"
    assert log_partition(*small).sd == 0
    assert math.isinf(log_partition(*small).effective_sample_size)
    partition = log_partition(*large, seed=1)
    assert partition.method.startswith("by AIS")
    assert partition.value == pytest.approx(partition.upper, abs=0.05)
    assert partition == log_partition(*large, seed=1)
    with pytest.raises(NacreError, match="20 units"):
        exact_log_partition(*large)
