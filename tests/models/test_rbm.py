"""The restricted Boltzmann machine against the enumeration of all its states."""

import math
from itertools import product

import pytest
import torch

import nacre
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.game import Batch
from nacre.metrics.partition import free_energy
from nacre.models.boltzmann.rbm import RBM, Machine, bernoulli

offsets = pytest.mark.parametrize("offset", [False, True], ids=["plain", "centred"])


def states(units: int) -> torch.Tensor:
    return torch.tensor(list(product([0.0, 1.0], repeat=units)), dtype=torch.float64)


def learned(machine: Machine) -> list[torch.nn.Parameter]:
    return [p for p in machine.parameters() if p.requires_grad]


def randomise(machine: Machine, offset: bool, scale: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for p in learned(machine):
            p.copy_(scale * torch.randn(p.shape, generator=generator))
        for b in (machine.visible_offset, machine.hidden_offset):
            b.copy_(torch.rand(b.shape, generator=generator) if offset else torch.zeros_like(b))


def machine_of(visible: int, hidden: int, offset: bool) -> Machine:
    machine = Machine(visible, hidden).double()
    randomise(machine, offset)
    return machine


def model_of(visible: int, hidden: int, **options) -> RBM:
    return RBM(Spec((visible,), center=(0.5,), scale=(0.5,), bounded=True, binary=True), hidden=hidden, **options)


def energies(machine: Machine, visible: int, hidden: int) -> torch.Tensor:
    """E(v, h) of every joint state by the definition, shape (2^visible, 2^hidden)."""
    v = states(visible) - machine.visible_offset
    h = states(hidden) - machine.hidden_offset
    return -(v @ machine.visible_bias)[:, None] - h @ machine.hidden_bias - v @ machine.weight @ h.T


def log_probability(machine: Machine, visible: int, hidden: int) -> torch.Tensor:
    """log p(v) of every visible state."""
    joint = -energies(machine, visible, hidden)
    return torch.logsumexp(joint, 1) - torch.logsumexp(joint.flatten(), 0)


@offsets
def test_the_fields_are_the_conditional_log_odds(offset):
    machine = machine_of(4, 3, offset)
    joint = (-energies(machine, 4, 3)).exp()
    hidden = joint @ states(3) / joint.sum(1, keepdim=True)
    visible = joint.T @ states(4) / joint.sum(0)[:, None]
    assert torch.allclose(torch.sigmoid(machine.hidden_field(states(4))), hidden, atol=1e-12)
    assert torch.allclose(torch.sigmoid(machine.visible_field(states(3))), visible, atol=1e-12)


def test_plain_weights_give_the_same_distribution_without_offsets():
    machine, plain = machine_of(5, 3, offset=True), machine_of(5, 3, offset=False)
    with torch.no_grad():
        for mine, value in zip((plain.weight, plain.visible_bias, plain.hidden_bias), machine.plain(), strict=True):
            mine.copy_(value)
    assert torch.allclose(log_probability(plain, 5, 3), log_probability(machine, 5, 3), atol=1e-12)


def test_moving_the_hidden_offsets_leaves_the_distribution_as_it_is():
    machine = machine_of(5, 3, offset=True)
    before, start = log_probability(machine, 5, 3), machine.hidden_offset.clone()
    target = torch.tensor([0.9, 0.1, 0.5]).double()
    machine.move_hidden_offset(target, 0.25)
    assert torch.allclose(machine.hidden_offset, 0.75 * start + 0.25 * target)
    assert torch.allclose(log_probability(machine, 5, 3), before, atol=1e-12)


@offsets
def test_the_contrasts_gradient_is_the_difference_of_the_statistics(offset, monkeypatch):
    """By hand: <(v - m)(h - l)'>, <v> and <h> of the dreams minus those of the data."""
    model = model_of(5, 3, chains=3).double()
    machine = model.machine
    randomise(machine, offset)
    data, dream = states(5)[[3, 9, 17, 30]], states(5)[[0, 8, 21]]
    monkeypatch.setattr(model, "dream", lambda h: dream)
    found = torch.autograd.grad(
        model.contrast(Batch(x=data)), (machine.weight, machine.visible_bias, machine.hidden_bias)
    )

    def statistics(v):
        h = torch.sigmoid(machine.hidden_field(v)) - machine.hidden_offset
        v = v - machine.visible_offset
        return v.T @ h / len(v), v.mean(0), h.mean(0)

    for gradient, positive, negative in zip(found, statistics(data), statistics(dream), strict=True):
        assert torch.allclose(gradient, negative - positive, atol=1e-12)


@offsets
def test_the_contrast_with_the_models_own_distribution_has_the_likelihoods_gradient(offset):
    machine, v = machine_of(5, 3, offset), states(5)
    data = v[[3, 9, 9, 30]]
    parameters = learned(machine)
    log_p = log_probability(machine, 5, 3)
    weights = log_p.exp().detach()
    plain = machine.plain()
    contrast = free_energy(data, *plain).mean() - (weights * free_energy(v, *plain)).sum()
    likelihood = log_p[[3, 9, 9, 30]].mean()
    for a, b in zip(
        torch.autograd.grad(contrast, parameters), torch.autograd.grad(likelihood, parameters), strict=True
    ):
        assert torch.allclose(a, -b, atol=1e-12)


def test_the_contrast_with_itself_is_zero(monkeypatch):
    model, data = model_of(5, 3, chains=2).double(), states(5)[[1, 2]]
    monkeypatch.setattr(model, "dream", lambda h: data)
    assert model.contrast(Batch(x=data)) == 0


def copying(algorithm: str) -> RBM:
    """A machine whose hidden units copy the visible ones, and the other way round."""
    model = model_of(4, 4, algorithm=algorithm, chains=6)
    with torch.no_grad():
        model.machine.weight.copy_(80 * torch.eye(4))
        model.machine.visible_bias.fill_(-40)
        model.machine.hidden_bias.fill_(-40)
    return model


@pytest.mark.parametrize("k", [1, 3])
def test_cd_dreams_from_the_data_and_pcd_from_its_chains(k, monkeypatch):
    data = states(4)[[5, 6, 14]].float()
    for algorithm in ("cd", "pcd"):
        model = copying(algorithm)
        model.k = k
        chains, dreams, dream = model.chains.clone(), [], model.dream
        monkeypatch.setattr(model, "dream", lambda h, dream=dream, dreams=dreams: dreams.append(dream(h)) or dreams[-1])
        model.contrast(Batch(x=data))
        assert torch.equal(dreams[0], data if algorithm == "cd" else chains)
        assert torch.equal(model.chains, chains), "copies of copies stay"


def test_only_pcds_chains_live_on():
    x = (torch.rand(20, 6) < 0.5).float()
    for algorithm in ("cd", "pcd"):
        model = model_of(6, 5, algorithm=algorithm, chains=20)
        before = model.chains.clone()
        model.contrast(Batch(x=x))
        assert torch.equal(model.chains, before) == (algorithm == "cd")
        assert model.chains.shape == before.shape and set(model.chains.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("k", [1, 3])
def test_a_dream_follows_the_gibbs_kernel_k_times(k):
    """The frequencies of v after k steps from one hidden state are those of the exact transition matrices."""
    model = model_of(3, 2, k=k)
    randomise(model.machine, offset=True, scale=1.5)
    machine = Machine(3, 2).double()
    machine.load_state_dict(model.machine.state_dict())
    joint = (-energies(machine, 3, 2)).exp()
    up, down = joint / joint.sum(1, keepdim=True), (joint / joint.sum(0)).T  # p(h | v), p(v | h)
    expected = down[1]
    for _ in range(k - 1):
        expected = expected @ up @ down
    n = 40_000
    dreams = model.dream(states(2)[1].float().expand(n, 2))
    counts = torch.bincount((dreams @ torch.tensor([4.0, 2.0, 1.0])).long(), minlength=8) / n
    assert ((counts - expected).abs() < 4.5 * (expected * (1 - expected) / n).sqrt()).all()


def test_long_gibbs_samples_have_the_exact_moments():
    """First and second moments of 20,000 chains, within five standard errors of the enumeration."""
    model = model_of(5, 4)
    randomise(model.machine, offset=True, scale=0.8)
    machine = Machine(5, 4).double()
    machine.load_state_dict(model.machine.state_dict())
    p, v = log_probability(machine, 5, 4).exp(), states(5)
    means = model.sample(20_000, steps=60, seed=0, batch_size=20_000).double()
    assert torch.allclose(means.mean(0), p @ v, atol=5 * 0.5 / 20_000**0.5)
    off = ~torch.eye(5, dtype=torch.bool)  # given h the visible units are independent
    second = means.T @ means / len(means)
    assert torch.allclose(second[off], (v.T @ (p[:, None] * v))[off], atol=5 * 0.5 / 20_000**0.5)


def test_scores_are_exact_log_probabilities():
    model = model_of(5, 4)
    randomise(model.machine, offset=True)
    machine = Machine(5, 4).double()
    machine.load_state_dict(model.machine.state_dict())
    scores = model.score_samples(states(5).float())
    assert torch.allclose(scores.double(), log_probability(machine, 5, 4), atol=1e-5)
    assert scores.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_a_new_machine_already_fits_the_datas_means():
    x = (torch.rand(500, 6) < torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9, 0.5])).float()
    for centering in (True, False):
        model = model_of(6, 4, centering=centering)
        torch.nn.init.zeros_(model.machine.weight)
        model.begin(Data(x, spec=model.spec))
        assert torch.allclose(model.sample(10, steps=1, seed=0), x.mean(0).expand(10, 6), atol=1e-5)


def test_grey_values_are_drawn_in_every_step():
    model = RBM(Spec((2,), bounded=True), hidden=2)
    drawn = model.binary(torch.full((20_000, 2), 0.3))
    assert set(drawn.unique().tolist()) == {0.0, 1.0} and drawn.mean().item() == pytest.approx(0.3, abs=0.01)


def test_bernoulli_draws_are_sure_where_the_probability_is():
    assert bernoulli(torch.zeros(1000)).sum() == 0 and bernoulli(torch.ones(1000)).sum() == 1000


def test_hidden_offsets_follow_the_datas_activities():
    """After each step l moves by one hundredth towards the mean of p(h | data)."""
    model = model_of(4, 3)
    model.begin(Data(states(4).float(), spec=model.spec))
    model.contrast(Batch(x=states(4).float()))
    mean = model.encode(states(4).float()).mean(0)
    (turn,) = model.turns()
    turn.after()
    assert torch.allclose(model.machine.hidden_offset, 0.5 + 0.01 * (mean - 0.5), atol=1e-6)
    assert model_of(4, 3, centering=False).turns()[0].after is None


def bars_and_stripes(height: int, width: int) -> torch.Tensor:
    """Every image whose rows are all constant, or whose columns are."""
    rows = [torch.tensor(bits)[:, None].expand(height, width) for bits in product([0.0, 1.0], repeat=height)]
    columns = [torch.tensor(bits)[None, :].expand(height, width) for bits in product([0.0, 1.0], repeat=width)]
    return torch.stack([*rows, *columns]).flatten(1).unique(dim=0)


@pytest.mark.parametrize("centering", [True, False])
def test_pcd_learns_bars_and_stripes(centering):
    """The ten patterns of 2 x 3 pixels: at most -log 10 nats are possible, and 0.08 below that is reached."""
    x = bars_and_stripes(2, 3)
    assert len(x) == 10
    torch.manual_seed(0)
    model = model_of(6, 8, chains=500, centering=centering)
    options = {"lr": 0.5, "batch_size": 100, "ema": 0.99, "device": "cpu", "progress": False}
    model.fit(Data(x.repeat(10, 1), spec=model.spec), steps=4000, **options)
    score = model.score_samples(x).mean().item()
    assert -math.log(10) - 0.08 < score < -math.log(10)


def test_averaged_weights_are_the_distribution_they_average():
    """With a learning rate of 0 only the offsets move, and neither they nor the average change the distribution."""
    torch.manual_seed(0)
    options = {"steps": 50, "lr": 0.0, "progress": False}
    data = nacre.load_data("digits")
    model = nacre.create("rbm", data.spec, hidden=8)
    model.begin(data)
    with torch.no_grad():
        model.machine.weight.mul_(20)
    x = (data.examples(20).x > 0.5).float()
    before = model.score_samples(x)
    model.begin = lambda data: None
    after = model.fit(data, ema=0.9, **options).score_samples(x)
    assert torch.allclose(before, after, atol=1e-3)
