"""Our models in our engine: the Trainer itself, which a callback hands over at the end of a step."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nacre import create
from nacre.data.dataset import Data
from nacre.engine.callbacks import Callback, SampleGrids
from nacre.engine.checkpoint import Checkpoints
from nacre.engine.loop import Trainer
from nacre.engine.training import Training

STEPS = 10_000_000  # so that no measurement comes to the end
BARE = {"ema": 0.0, "progress": False, "log_every": 10_000}


class Handover(Callback):
    """Gives control back after every step.

    Args:
        tick: What to call.
    """

    every = 1

    def __init__(self, tick: Callable[[], None]) -> None:
        self.tick = tick

    def step(self, trainer: Trainer) -> None:
        """A step is done."""
        self.tick()


class Ours:
    """A model of ours, trained for ever.

    Args:
        name: The model's name.
        data: What it is trained on.
        hparams: Its own arguments.
        options: Those of training.
        out: The run folder; without one the run has no log and no checkpoints.
    """

    def __init__(
        self, name: str, data: Data, hparams: dict[str, Any], options: dict[str, Any], out: Path | None = None
    ) -> None:
        self.name, self.data, self.hparams, self.options, self.out = name, data, hparams, options, out

    def __call__(self, tick: Callable[[], None]) -> None:
        """Train."""
        model = create(self.name, self.data.spec, **self.hparams)
        training = Training.resolve(model.defaults, {"steps": STEPS, **self.options})
        self.trainer = Trainer(model, {"data": self.data}, training, self.out)
        self.trainer.run(callbacks=[Handover(tick)])

    def occasional(self, steps_per_second: float) -> dict[str, float]:
        """Seconds of a checkpoint and of a grid, too rare for a block, and their share of a run of 10,000 steps."""
        assert self.out is not None
        grids, checkpoints = SampleGrids(1), Checkpoints(self.out)
        checkpoint = seconds(lambda: checkpoints.save(self.trainer.step, self.trainer.state()))
        grid = seconds(lambda: grids.step(self.trainer))
        rare = 20 * checkpoint + 10 * grid
        return {
            "checkpoint_seconds": round(checkpoint, 4),
            "grid_seconds": round(grid, 4),
            "share_of_10000_steps": round(rare / (rare + 10_000 / steps_per_second), 4),
        }


def seconds(action: Callable[[], None]) -> float:
    """The median of three times, after a first one that warms up."""
    times = []
    for _ in range(4):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])
