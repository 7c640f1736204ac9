"""The doctor itself: a callback that looks now and then, and speaks up."""

import time
from typing import TYPE_CHECKING, Any

import torch

from nacre.engine import distributed
from nacre.engine.callbacks import Callback
from nacre.engine.doctor.alarm import Ailment, Alarm
from nacre.engine.doctor.chains import StuckChains
from nacre.engine.doctor.checkup import FEWEST, MOST, Checkup, References
from nacre.engine.doctor.copies import Memorisation
from nacre.engine.doctor.games import DeadDiscriminator, ModeCollapse, OverfittedDiscriminator, StrongDiscriminator
from nacre.engine.doctor.gradients import Exploding, NonFinite, Vanishing
from nacre.engine.doctor.latents import PosteriorCollapse
from nacre.engine.doctor.units import StuckUnits

if TYPE_CHECKING:
    from nacre.engine.loop import Trainer

CHECKUPS = 40
SPACING = 100
BUDGET = 0.02
FIRST = 0.01  # seconds that the first checkup is taken to need
AILMENTS: tuple[type[Ailment], ...] = (
    NonFinite,
    Exploding,
    ModeCollapse,
    StrongDiscriminator,
    DeadDiscriminator,
    OverfittedDiscriminator,
    PosteriorCollapse,
    StuckChains,
    Memorisation,
    StuckUnits,
    Vanishing,
)


class Doctor(Callback):
    """Look at a run forty times, or every 100 steps if that is rarer, and raise an alarm for what lasts.

    To watch leaves no trace in training and costs at most 2 % of its time: a checkup is put off while those before it
    have cost more. To act, no checkup is put off, so that the same seed does the same.

    Args:
        act: Whether to stop or to roll back, and not only to speak.
        every: Steps between checkups; 0 chooses them.
        budget: The share of the run's time that watching may take, above 0.
    """

    def __init__(self, act: bool = False, every: int = 0, budget: float = BUDGET) -> None:
        self.act, self.every, self.budget = act, every, budget
        self.spent, self.last = 0.0, FIRST

    def start(self, trainer: "Trainer") -> None:
        """Choose the steps of the checkups."""
        from nacre.engine.loop import say

        self.every = self.every or max(SPACING, trainer.training.steps // CHECKUPS)
        self.began = time.perf_counter()
        self.phase = -1
        self.alarms: dict[str, Alarm] = {}
        self.good: dict[str, Any] | None = None
        self.references: References | None = None
        if self.act and distributed.world() > 1:
            self.act = False
            say("--doctor act needs a single process; here the doctor only watches.")

    def step(self, trainer: "Trainer") -> None:
        """One checkup."""
        if trainer.phase != self.phase:
            self._enter(trainer)
        if trainer.model.device.type == "cuda":
            torch.cuda.synchronize()  # what is still to be computed is not the doctor's time
        start = time.perf_counter()
        if not self.act and self.spent + self.last > self.budget * (start - self.began):
            return
        self._look(trainer)
        self.last = time.perf_counter() - start
        self.spent += self.last

    def _enter(self, trainer: "Trainer") -> None:
        self._recover(trainer, set())
        self.phase = trainer.phase
        self.ailments = [ailment() for ailment in AILMENTS]
        self.suspected: dict[str, list[int]] = {}

    def _look(self, trainer: "Trainer") -> None:
        if self.references is None:
            n = min(MOST, max(FEWEST, trainer.training.batch_size))
            self.references = References(trainer.data, n, trainer.model.device)
        checkup = Checkup(trainer, self.references)
        ill: set[str] = set()
        raised: list[Alarm] = []
        for ailment in self.ailments:
            if checkup.done < ailment.share * checkup.length:
                continue
            seen = ailment.look(checkup)
            if not seen:
                self.suspected.pop(ailment.name, None)
                continue
            ill.add(ailment.name)
            steps = self.suspected.setdefault(ailment.name, [])
            steps.append(trainer.step)
            if len(steps) >= ailment.patience and ailment.name not in self.alarms:
                raised.append(Alarm(ailment.name, steps[0], seen, ailment.advice, ailment.action))
        self._recover(trainer, ill)
        for alarm in raised:
            self._raise(trainer, alarm)
        if self.act and raised:
            self._treat(trainer, raised[0])
        elif self.act and not self.suspected:
            self.good = snapshot(trainer)

    def _recover(self, trainer: "Trainer", ill: set[str]) -> None:
        for name in [name for name in self.alarms if name not in ill]:
            alarm = self.alarms.pop(name)
            trainer.emit({"step": trainer.step, "doctor": {**alarm.to_dict(), "over": trainer.step}})

    def _raise(self, trainer: "Trainer", alarm: Alarm) -> None:
        from nacre.engine.loop import say

        self.alarms[alarm.name] = alarm
        say(f"doctor: {alarm}{'' if self.act else f' With --doctor act the run would now {alarm.action}.'}")
        trainer.emit({"step": trainer.step, "doctor": alarm.to_dict()})

    def _treat(self, trainer: "Trainer", alarm: Alarm) -> None:
        stopped = f"the doctor stopped training at step {trainer.step} ({alarm.name})"
        if alarm.action == "stop":
            trainer.end(stopped)
        elif trainer.best and trainer.best.step:  # which the trainer then takes by itself
            trainer.end(stopped, save=False)
        elif self.good is not None:
            restore(trainer, self.good)
            trainer.end(f"{stopped} and put the weights of step {self.good['step']} back", save=False)
        else:
            trainer.end(f"{stopped}; there is no healthy step to go back to")

    def failed(self, trainer: "Trainer", error: Exception) -> bool:
        """A loss is no longer finite: say so, and with `act` go back to the last healthy weights."""
        ailment = NonFinite()
        alarm = Alarm(ailment.name, trainer.step + 1, str(error).partition(";")[0], ailment.advice, ailment.action)
        self._raise(trainer, alarm)
        if not self.act or (self.good is None and not (trainer.best and trainer.best.step)):
            return False
        self._treat(trainer, alarm)
        return True


def snapshot(trainer: "Trainer") -> dict[str, Any]:
    """A copy of the weights and of their average, in the computer's memory."""
    with torch.no_grad():
        return {
            "step": trainer.step,
            "model": {name: value.detach().to("cpu", copy=True) for name, value in trainer.model.state_dict().items()},
            "average": [value.detach().to("cpu", copy=True) for value in trainer.average.values],
        }


def restore(trainer: "Trainer", state: dict[str, Any]) -> None:
    """Put the weights and their average back."""
    trainer.model.load_state_dict(state["model"])
    with torch.no_grad():
        for mine, value in zip(trainer.average.values, state["average"], strict=True):
            mine.copy_(value)
