"""Schedules in closed form, and one optimizer state per player, not per turn."""

import math

import pytest
import torch
from torch import nn

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.engine.callbacks import Callback
from nacre.engine.loop import Trainer
from nacre.engine.optim import Slot, schedule
from nacre.engine.training import Training
from nacre.errors import NacreError
from nacre.game import Phase, Turn
from nacre.model import Model

SPEC = Spec((2,))
DATA = Data(torch.randn(16, 2, generator=torch.Generator().manual_seed(0)), spec=SPEC)
QUIET = {"batch_size": 16, "device": "cpu", "progress": False, "ema": 0.0}


class Toy(Model):
    """Players a and b, with losses whose gradient changes from step to step."""

    def __init__(self, spec: Spec, make_turns=None) -> None:
        super().__init__(spec)
        torch.manual_seed(2)
        self.a, self.b = nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)
        self.make_turns = make_turns

    def turns(self):
        return self.make_turns(self)

    def first(self, batch):
        return (self.a.weight - 1).square().sum()

    def second(self, batch):
        return (self.a.weight - 3).pow(4).sum()

    def other(self, batch):
        return (self.b.weight + 1).square().sum()

    def both(self, batch):
        return self.first(batch) + self.other(batch)


def trainer_of(make_turns, **options) -> Trainer:
    return Trainer(Toy(SPEC, make_turns), {"data": DATA}, Training(**{**QUIET, **options}))


def entered(make_turns, **options) -> Trainer:
    trainer = trainer_of(make_turns, **options)
    trainer._enter(0)
    return trainer


class Rates(Callback):
    """The learning rates that were used in each step."""

    every = 1

    def __init__(self) -> None:
        self.seen: list[list[float]] = []

    def step(self, trainer):
        groups = [group for slot in trainer.slots.values() for group in slot.optimizer.param_groups]
        self.seen.append([group["lr"] for group in groups])


@pytest.mark.parametrize("warmup", [0.0, 0.2])
def test_schedules_in_closed_form(warmup):
    for i in range(100):
        progress = i / 100
        t = (progress - warmup) / (1 - warmup)
        expected = {"constant": 1.0, "linear": 1 - t, "cosine": math.cos(math.pi * t / 2) ** 2}
        for kind, value in expected.items():
            value = progress / warmup if progress < warmup else value
            assert schedule(kind, progress, warmup) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
def test_every_step_uses_the_scheduled_rate(kind):
    rates = Rates()
    trainer = trainer_of(lambda m: [Turn(m.a, m.first)], steps=20, lr=0.3, schedule=kind, warmup=0.25)
    trainer.run(callbacks=[rates])
    assert [rate for (rate,) in rates.seen] == pytest.approx([0.3 * schedule(kind, i / 20, 0.25) for i in range(20)])


def test_a_players_own_rate_replaces_the_general_one():
    trainer = entered(lambda m: [Turn(m.a, m.first), Turn(m.b, m.other)], lr=0.1, player_lr={"b": 0.7})
    assert trainer.slots["a"].optimizer.param_groups[0]["lr"] == 0.1
    assert trainer.slots["b"].optimizer.param_groups[0]["lr"] == 0.7


def test_players_that_move_together_keep_their_own_rates_under_a_schedule():
    rates = Rates()
    options = {"lr": 0.1, "player_lr": {"b": 0.7}, "schedule": "linear", "steps": 2}
    trainer_of(lambda m: [Turn((m.a, m.b), m.both)], **options).run(callbacks=[rates])
    assert rates.seen == [pytest.approx([0.1, 0.7]), pytest.approx([0.05, 0.35])]


def test_a_rate_for_nobody_is_refused():
    with pytest.raises(NacreError, match="there is no player 'critic'; known: a, b"):
        entered(lambda m: [Turn(m.a, m.first), Turn(m.b, m.other)], player_lr={"critic": 1.0})


def momentum_steps(losses, w: torch.Tensor, steps: int, lr: float, momentum: float, shared: bool) -> torch.Tensor:
    """SGD with momentum by hand, with one velocity for all losses or one for each."""
    velocities = [torch.zeros_like(w) for _ in losses]
    w = w.clone()
    for _ in range(steps):
        for i, loss in enumerate(losses):
            leaf = w.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(loss(leaf), leaf)
            velocity = velocities[0 if shared else i].mul_(momentum).add_(gradient)
            w -= lr * velocity
    return w


@pytest.mark.parametrize("shared", [True, False])
def test_two_turns_of_one_player_share_its_state_unless_one_names_another(shared):
    name = "" if shared else "fool"
    trainer = trainer_of(
        lambda m: [Turn(m.a, m.first), Turn(m.a, m.second, optimizer=name)],
        optimizer="sgd", momentum=0.8, lr=0.005, steps=6,
    )  # fmt: skip
    start = trainer.model.a.weight.detach().clone()
    trainer.run()
    losses = [lambda w: (w - 1).square().sum(), lambda w: (w - 3).pow(4).sum()]
    by_hand, otherwise = (momentum_steps(losses, start, 6, 0.005, 0.8, s) for s in (shared, not shared))
    assert torch.allclose(trainer.model.a.weight, by_hand, atol=1e-6)
    assert not torch.allclose(trainer.model.a.weight, otherwise, atol=1e-3)
    assert list(trainer.slots) == (["a"] if shared else ["a", "a:fool"])


def test_adam_counts_every_turn_that_moves_the_player():
    trainer = trainer_of(lambda m: [Turn(m.a, m.first, repeat=2), Turn(m.a, m.second)], steps=4)
    trainer.run()
    (state,) = trainer.slots["a"].optimizer.state.values()
    assert state["step"] == 12


def test_players_that_always_move_together_are_stepped_as_if_alone():
    trainer = trainer_of(lambda m: [Turn((m.a, m.b), m.both)], steps=5, lr=0.1)
    model = trainer.model
    copies = [nn.Parameter(p.detach().clone()) for p in (model.a.weight, model.b.weight)]
    trainer.run()
    for copy, target in zip(copies, (1.0, -1.0), strict=True):
        optimizer = torch.optim.Adam([copy], lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            (copy - target).square().sum().backward()
            optimizer.step()
    assert torch.allclose(model.a.weight, copies[0], atol=1e-6)
    assert torch.allclose(model.b.weight, copies[1], atol=1e-6)
    assert list(trainer.slots) == ["a+b"]


def test_players_that_also_move_apart_have_states_of_their_own():
    trainer = trainer_of(lambda m: [Turn((m.a, m.b), m.both), Turn(m.a, m.second)], steps=3)
    trainer.run()
    assert list(trainer.slots) == ["a", "b"]
    (a,), (b,) = (trainer.slots[key].optimizer.state.values() for key in "ab")
    assert (a["step"], b["step"]) == (6, 3)


@pytest.mark.parametrize("k", [2, 16])
def test_adam_is_corrected_for_a_lazy_turn(k):
    """c = k / (k + 1) on the rate and on the exponents of the decays (Karras et al. 2020, appendix B)."""
    c = k / (k + 1)
    trainer = entered(
        lambda m: [Turn(m.a, m.first), Turn(m.a, m.second, every=k), Turn(m.b, m.other)],
        lr=0.1, betas=(0.5, 0.99), player_lr={"a": 0.2},
    )  # fmt: skip
    (group,) = trainer.slots["a"].optimizer.param_groups
    assert group["lr"] == pytest.approx(0.2 * c)
    assert group["betas"] == pytest.approx((0.5**c, 0.99**c))
    (group,) = trainer.slots["b"].optimizer.param_groups
    assert group["lr"] == 0.1 and group["betas"] == (0.5, 0.99)


@pytest.mark.parametrize("kind", ["sgd", "rmsprop"])
def test_only_adam_is_corrected_for_a_lazy_turn(kind):
    """Adam's steps have the length of its rate; those of sgd grow with the loss, so k times the loss is all."""
    trainer = entered(lambda m: [Turn(m.a, m.first), Turn(m.a, m.second, every=4)], lr=0.1, optimizer=kind)
    trainer.slots["a"].schedule(0.0)
    assert trainer.slots["a"].optimizer.param_groups[0]["lr"] == 0.1


def test_a_player_that_only_moves_lazily_needs_no_correction():
    trainer = entered(lambda m: [Turn(m.a, m.first, every=4), Turn(m.b, m.other)], lr=0.1)
    assert trainer.slots["a"].optimizer.param_groups[0]["lr"] == 0.1


def test_zero_decays_stay_zero_under_the_correction():
    slot = Slot(["a"], [[nn.Parameter(torch.zeros(1))]], Training(betas=(0.0, 0.99)), lazy=16)
    assert slot.optimizer.param_groups[0]["betas"][0] == 0.0


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_takes_its_rate_and_weight_decay(kind):
    """Without a gradient only the decay moves the weights, and twice as far at twice the rate."""
    moved = []
    for lr in (1e-3, 2e-3):
        p = nn.Parameter(torch.ones(1))
        p.grad = torch.zeros(1)
        Slot(["a"], [[p]], Training(optimizer=kind, lr=lr, weight_decay=0.5), lazy=1).step()
        moved.append(1 - p.item())
    assert moved[0] > 0 and moved[1] == pytest.approx(2 * moved[0], rel=0.01)


class TwoPhases(Toy):
    def __init__(self, spec: Spec) -> None:
        super().__init__(spec, lambda m: [Turn(m.a, m.first)])

    def phases(self):
        return [Phase("a", self.turns), Phase("b", lambda: [Turn(self.b, self.other)])]


def test_the_schedule_starts_anew_in_every_phase():
    rates = Rates()
    options = Training(**{**QUIET, "schedule": "linear", "steps": 8, "lr": 1.0})
    Trainer(TwoPhases(SPEC), {"data": DATA}, options).run(callbacks=[rates])
    assert [rate for (rate,) in rates.seen] == [1, 0.75, 0.5, 0.25] * 2


def test_a_player_of_any_phase_may_have_its_own_rate():
    options = Training(**{**QUIET, "player_lr": {"b": 0.5}, "steps": 4})
    Trainer(TwoPhases(SPEC), {"data": DATA}, options).run()
