"""Stretches of training: how long, on what, and with which optimizers."""

import pytest
import torch
from games import StopAt
from torch import nn

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.engine.callbacks import Callback
from nacre.engine.loop import Trainer, phase_ends
from nacre.engine.signals import InterruptedTraining
from nacre.engine.training import Training
from nacre.game import Batch, Phase, Turn
from nacre.model import Model

SPEC = Spec((2,))
DATA = Data(torch.arange(32.0)[:, None].repeat(1, 2), spec=SPEC)


class Stages(Model):
    """Three phases that write down what happens in them."""

    def __init__(self, spec: Spec, shares: tuple[float, ...] = (1.0, 2.0, 1.0), keep: bool = False) -> None:
        super().__init__(spec)
        self.net = nn.Linear(2, 1)
        self.shares, self.keep = shares, keep
        self.register_buffer("level", torch.zeros(()))
        self.entered: list[int] = []
        self.played: list[tuple[int, float, float]] = []

    def phases(self):
        return [self.stage(i, share) for i, share in enumerate(self.shares)]

    def stage(self, i, share):
        enter, prepare = lambda: self.enter(i), lambda batch: self.prepare(batch, i)
        return Phase(f"stage {i}", self.turns, share, enter, prepare, self.keep)

    def enter(self, i):
        self.entered.append(i)
        self.level.fill_(i)

    def prepare(self, batch, i):
        assert not torch.is_grad_enabled()
        return Batch(x=100 * (i + 1) + batch.x)

    def turns(self):
        return [Turn(self.net, self.loss)]

    def loss(self, batch):
        self.played.append((int(self.level), self.progress.item(), (batch.x[0, 0] // 100).item()))
        return self.net(batch.x / 100).square().mean()


def trainer_of(model: Model, out=None, **options) -> Trainer:
    options = {"batch_size": 8, "device": "cpu", "progress": False, "steps": 16, **options}
    return Trainer(model, {"data": DATA}, Training(**options), out)


class Optimizers(Callback):
    """How often the optimizer has stepped, after every step of training."""

    every = 1

    def __init__(self) -> None:
        self.counts: list[int] = []

    def step(self, trainer):
        (slot,) = trainer.slots.values()
        self.counts.append(int(next(iter(slot.optimizer.state.values()))["step"]))


@pytest.mark.parametrize(
    ("shares", "steps", "ends"),
    [
        ((1, 2, 1), 16, [4, 12, 16]),
        ((0.2, 0.3, 0.5), 10, [2, 5, 10]),
        ((1, 1, 1), 10, [3, 7, 10]),
        ((5,), 7, [7]),
        ((1, 1, 1, 1, 1, 1, 1), 100, [14, 29, 43, 57, 71, 86, 100]),
    ],
)
def test_shares_become_steps(shares, steps, ends):
    phases = [Phase(str(i), list, share) for i, share in enumerate(shares)]
    assert phase_ends(phases, steps) == ends


def test_every_phase_plays_its_steps_on_its_batches_with_its_own_progress():
    model = Stages(SPEC)
    trainer_of(model).run()
    expected = [(i, step / n, i + 1.0) for i, n in enumerate((4, 8, 4)) for step in range(n)]
    assert model.played == expected and model.entered == [0, 1, 2]


@pytest.mark.parametrize("keep", [False, True])
def test_optimizers_begin_afresh_unless_kept(keep):
    counts = Optimizers()
    trainer_of(Stages(SPEC, keep=keep)).run(callbacks=[counts])
    expected = list(range(1, 17)) if keep else [*range(1, 5), *range(1, 9), *range(1, 5)]
    assert counts.counts == expected


def test_kept_optimizers_keep_their_moments():
    """Three phases with kept optimizers are one phase."""
    torch.manual_seed(0)
    three, one = Stages(SPEC, keep=True), Stages(SPEC, shares=(1.0,))
    one.load_state_dict(three.state_dict())
    for model in (three, one):
        model.prepare = lambda batch, i: batch
        trainer_of(model, ema=0.9).run()
    assert torch.equal(three.net.weight, one.net.weight)


def test_a_resumed_run_enters_its_phase_again(tmp_path, monkeypatch):
    """Stopped in the middle of the second phase: it is entered again, the first is not."""
    monkeypatch.setattr("nacre.engine.run.RunFolder.finish", lambda self, trainer: None)  # the model is not registered
    whole = Stages(SPEC)
    torch.manual_seed(0)
    start = {k: v.clone() for k, v in whole.state_dict().items()}
    trainer_of(whole).run()

    stopped = Stages(SPEC)
    stopped.load_state_dict(start)
    with pytest.raises(InterruptedTraining, match="step 7"):
        trainer_of(stopped, tmp_path / "run").run(callbacks=[StopAt(7)])
    assert stopped.entered == [0, 1]
    resumed = Stages(SPEC)
    trainer_of(resumed, tmp_path / "run").run(resume=True)
    assert resumed.entered == [1, 2]
    assert stopped.played + resumed.played == whole.played
    assert torch.equal(resumed.net.weight, whole.net.weight)


def test_a_run_that_stopped_between_phases_goes_on_with_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("nacre.engine.run.RunFolder.finish", lambda self, trainer: None)
    stopped, resumed = Stages(SPEC), Stages(SPEC)
    with pytest.raises(InterruptedTraining, match="step 4"):
        trainer_of(stopped, tmp_path / "run").run(callbacks=[StopAt(4)])
    trainer_of(resumed, tmp_path / "run").run(resume=True)
    assert [stage for stage, *_ in stopped.played] == [0] * 4
    assert [stage for stage, *_ in resumed.played] == [1] * 8 + [2] * 4


def stages_without_a_step(shares: tuple[float, ...]) -> None:
    model = Stages(SPEC, shares=shares)
    trainer_of(model, steps=4).run()
    ends = phase_ends(model.phases(), 4)
    expected = [i for i, (a, b) in enumerate(zip([0, *ends], ends, strict=False)) for _ in range(a, b)]
    assert [stage for stage, *_ in model.played] == expected and model.entered == [0, 1, 2]


def test_a_first_phase_without_a_step_is_entered_and_not_played():
    stages_without_a_step((0.0, 1.0, 1.0))


@pytest.mark.parametrize("shares", [(1.0, 0.0, 1.0), (1.0, 0.01, 1.0)])
def test_a_phase_without_a_step_is_entered_and_not_played(shares):
    stages_without_a_step(shares)


class Regrouped(Model):
    """Two players that move in one turn first, and in a turn each then."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.a, self.b = nn.Linear(2, 1), nn.Linear(2, 1)

    def phases(self):
        return [
            Phase("together", lambda: [Turn((self.a, self.b), self.loss)]),
            Phase("apart", lambda: [Turn(self.a, self.loss), Turn(self.b, self.loss)], keep_optimizers=True),
        ]

    def loss(self, batch):
        return (self.a(batch.x) + self.b(batch.x)).square().mean()


def test_kept_optimizers_survive_another_grouping_of_the_turns():
    trainer = trainer_of(Regrouped(SPEC))
    trainer.run()
    for slot in trainer.slots.values():
        assert {int(state["step"]) for state in slot.optimizer.state.values()} == {16}


def test_the_time_left_is_told_at_the_pace_of_the_phase(monkeypatch):
    """A clock that a step of the first phase moves by a second and one of the second by ten."""
    clock, records = [0.0], []
    monkeypatch.setattr("nacre.engine.loop.time.monotonic", lambda: clock[0])

    class Slower(Stages):
        def loss(self, batch):
            clock[0] += 10.0 if self.level else 1.0
            return super().loss(batch)

    class Listener(Callback):
        def log(self, trainer, record):
            records.append((record["step"], record["seconds_left"]))

    trainer_of(Slower(SPEC, shares=(1.0, 1.0)), log_every=4).run(callbacks=[Listener()])
    assert records == [(4, 12.0), (8, 8.0), (12, 40.0), (16, 0.0)]


class Halved(Regrouped):
    """The same two players in both phases, the second at half the rate."""

    def phases(self):
        return [Phase("one", self.turns), Phase("two", self.turns, rate=0.5)]

    def turns(self):
        return [Turn((self.a, self.b), self.loss)]


@pytest.mark.parametrize("schedule", ["constant", "linear"])
def test_a_phase_has_its_own_rate(schedule):
    class Rates(Callback):
        every = 1

        def __init__(self):
            self.seen = []

        def step(self, trainer):
            (slot,) = trainer.slots.values()
            self.seen.append([group["lr"] for group in slot.optimizer.param_groups])

    options = {"steps": 8, "lr": 1.0, "player_lr": {"b": 0.5}, "schedule": schedule}
    whole = [
        [f * r, 0.5 * f * r]
        for r in (1.0, 0.5)
        for f in ((1.0,) * 4 if schedule == "constant" else (1, 0.75, 0.5, 0.25))
    ]
    rates = Rates()
    trainer_of(Halved(SPEC), **options).run(callbacks=[rates])
    assert rates.seen == whole
