"""The best weights of a run by one metric, and how long a better value has not come."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nacre.engine.checkpoint import Checkpoints

if TYPE_CHECKING:
    from nacre.engine.loop import Trainer


@dataclass
class Best:
    """What the evaluations of a run have shown so far.

    Args:
        metric: The name of the result that decides.
        step: Of the best evaluation; 0 before there is one.
        value: The best value.
        waited: Evaluations since then that were not better.
        kept: The best state itself, in a run without a folder.
    """

    metric: str
    step: int = 0
    value: float = float("nan")
    waited: int = 0
    kept: dict[str, Any] | None = field(default=None, repr=False)

    def see(self, trainer: "Trainer", value: float, better: Literal["lower", "higher"]) -> None:
        """Take in a value; if it is finite and strictly better than all before, keep the state it was measured at."""
        sign = 1 if better == "higher" else -1
        if not abs(value) < float("inf") or (self.step and sign * value <= sign * self.value):
            self.waited += 1
            return
        self.step, self.value, self.waited = trainer.step, value, 0
        if trainer.out is None:
            self.kept = deepcopy({name: trainer.state()[name] for name in ("local", "model", "average")})
        else:
            Checkpoints(trainer.out).save_best(trainer.step, trainer.state())

    def state(self, trainer: "Trainer") -> dict[str, Any] | None:
        """The best state; None if there is none or its file is damaged."""
        return self.kept if trainer.out is None else Checkpoints(trainer.out).load_best()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the log and `run.json`."""
        return {"metric": self.metric, "step": self.step, "value": self.value if self.step else None}

    def resume(self, log: list[dict[str, Any]]) -> None:
        """Go on from the newest record of a log that knows of a best value, if there is one."""
        for last in [record["best"] for record in log if "best" in record][-1:]:
            self.step, self.waited = last["step"], last["waited"]
            self.value = last["value"] if self.step else self.value
