"""What happens beside training: the log, the progress bar, sample grids, trackers."""

import importlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from nacre.engine.checkpoint import random_state, restore_random_state, write_atomically
from nacre.engine.run import RunFolder
from nacre.engine.training import Training
from nacre.errors import NacreError

if TYPE_CHECKING:
    from nacre.engine.loop import Trainer
    from nacre.metrics.result import Report

Record = dict[str, Any]


class Callback:
    """Something that watches a run. Override what it needs.

    `every` is the number of steps between two calls of `step`; 0 never calls it.
    """

    every: int = 0

    def check(self, trainer: "Trainer") -> None:
        """A new run is ready to begin and nothing is written yet; refuse it here by an error."""

    def start(self, trainer: "Trainer") -> None:
        """Training begins or goes on."""

    def step(self, trainer: "Trainer") -> None:
        """Another `every` steps are done."""

    def log(self, trainer: "Trainer", record: Record) -> None:
        """A line of the log is ready: step, losses, rate and whatever else was measured."""

    def failed(self, trainer: "Trainer", error: Exception) -> bool:
        """A loss is no longer finite; True if the model was put right and training may end without an error."""
        return False

    def finish(self, trainer: "Trainer") -> None:
        """Training is over, by whatever cause."""


class JsonLog(Callback):
    """Write every record as one line of `log.jsonl`."""

    def start(self, trainer: "Trainer") -> None:
        """Drop what was logged after the checkpoint that the run resumes from."""
        assert trainer.out is not None
        path = trainer.out / "log.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= trainer.step]
        write_atomically(path, "".join(kept).encode())
        self.file = path.open("a", buffering=1)

    def log(self, trainer: "Trainer", record: Record) -> None:
        """Append one line."""
        self.file.write(json.dumps(record) + "\n")

    def finish(self, trainer: "Trainer") -> None:
        """Close the file."""
        self.file.close()


class Progress(Callback):
    """A progress bar with the losses, samples per second and the time left; lines when the output is no terminal."""

    every = 1

    def start(self, trainer: "Trainer") -> None:
        """Open the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self.live = console.is_terminal
        self.last, self.printed = time.monotonic(), time.monotonic()
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}")
        self.bar = Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[losses]}"), console=console)
        self.task = self.bar.add_task("", total=trainer.training.steps, completed=trainer.step, losses="")
        if self.live:
            self.bar.start()

    def step(self, trainer: "Trainer") -> None:
        """Move the bar, at most ten times a second."""
        if self.live and time.monotonic() - self.last > 0.1:
            self.last = time.monotonic()
            self.bar.update(self.task, completed=trainer.step, description=trainer.title)

    def log(self, trainer: "Trainer", record: Record) -> None:
        """Show the losses; without a terminal print a line every five seconds."""
        if "losses" not in record:
            return
        losses = " ".join(f"{name} {value:.4g}" for name, value in record["losses"].items())
        rate = f"{record['samples_per_second']:,.0f}/s"
        self.bar.update(self.task, completed=trainer.step, description=trainer.title, losses=f"{losses}  {rate}")
        if not self.live and time.monotonic() - self.printed > 5:
            self.printed = time.monotonic()
            left = record["seconds_left"]
            print(f"{trainer.title}  step {trainer.step}/{trainer.training.steps}  {losses}  {rate}  {left:.0f} s left",
                  file=sys.stderr, flush=True)  # fmt: skip

    def finish(self, trainer: "Trainer") -> None:
        """Close the bar."""
        if self.live:
            self.bar.update(self.task, completed=trainer.step)
            self.bar.stop()


class SampleGrids(Callback):
    """Draw samples from fixed latents (a fixed seed) beside a grid of real examples.

    Args:
        every: Steps between grids.
        n: Samples in a grid.
    """

    def __init__(self, every: int, n: int = 64) -> None:
        self.every, self.n = every, n

    def start(self, trainer: "Trainer") -> None:
        """Draw the real examples once."""
        from nacre.pictures import save_grid

        assert trainer.out is not None
        if not trainer.model.can("sample"):
            self.every = 0
        path = trainer.out / "samples" / "real.png"
        if not path.exists():
            save_grid(trainer.data.examples(self.n, seed=0).x, path, trainer.model.spec)

    def step(self, trainer: "Trainer") -> None:
        """Draw a grid of the averaged model's samples."""
        from nacre.pictures import save_grid

        assert trainer.out is not None
        with trainer.average.applied():
            samples = trainer.model.sample(self.n, seed=0)
        save_grid(samples, trainer.out / "samples" / f"step_{trainer.step:06d}.png", trainer.model.spec)


class Evaluation(Callback):
    """Evaluate the averaged model on held-out data during training, and log what came out.

    Where the source has a validation split that is used, else the test split. Training's random state stays untouched.

    Args:
        every: Steps between evaluations.
        patience: Evaluations without a better value of the trainer's `best` after which training ends; 0 is never.
    """

    def __init__(self, every: int, patience: int = 0) -> None:
        self.every, self.patience = every, patience

    def check(self, trainer: "Trainer") -> None:
        """Evaluate the untrained model if a metric decides, so that one it lacks is noticed now."""
        if trainer.best:
            self._measure(trainer)

    def start(self, trainer: "Trainer") -> None:
        """Read from the log what earlier evaluations showed."""
        if trainer.best and trainer.out is not None:
            trainer.best.resume([r for r in RunFolder(trainer.out).log() if r["step"] <= trainer.step])
            self._stop(trainer)

    def step(self, trainer: "Trainer") -> None:
        """Evaluate once."""
        results = self._measure(trainer)
        record: Record = {"step": trainer.step, "metrics": {result.name: result.value for result in results}}
        if trainer.best:
            result = results.get(trainer.best.metric)
            assert result.better
            trainer.best.see(trainer, result.value, result.better)
            record["best"] = {**trainer.best.to_dict(), "waited": trainer.best.waited}
        trainer.emit(record)
        self._stop(trainer)

    def _stop(self, trainer: "Trainer") -> None:
        best = trainer.best
        if best and self.patience and best.waited >= self.patience and not trainer.ending:
            since = f"{best.waited} evaluation{'s' if best.waited > 1 else ''}"
            trainer.end(f"stopped early at step {trainer.step}: {best.metric} was no better for {since}")

    def _measure(self, trainer: "Trainer") -> "Report":
        from nacre.metrics import evaluate

        state = random_state()
        try:
            data = trainer.data.sibling("validation") if trainer.data.split == "train" else None
            with trainer.average.applied():
                results = evaluate(trainer.model, data or trainer.data, quick=True)
                if trainer.best and all(result.name != trainer.best.metric for result in results):
                    results.extend(evaluate(trainer.model, data or trainer.data, [trainer.best.metric], quick=True))
        finally:
            restore_random_state(state)
        if trainer.best and not results.get(trainer.best.metric).better:
            directed = ", ".join(result.name for result in results if result.better)
            raise NacreError(f"{trainer.best.metric} has no better direction; choose --best from {directed}.")
        return results


class Tracker(Callback):
    """Send losses and metrics to TensorBoard, Weights & Biases or MLflow.

    Args:
        kind: "tensorboard", "wandb" or "mlflow".

    Raises:
        NacreError: The package is not installed.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        try:
            self.package = importlib.import_module("torch.utils.tensorboard" if kind == "tensorboard" else kind)
        except ImportError:
            raise NacreError(f"--track {kind} needs the package {kind}: pip install {kind}.") from None

    def start(self, trainer: "Trainer") -> None:
        """Open the tracker's run."""
        options = {"model": trainer.model.registered_name(), **trainer.model.hparams, **trainer.training.to_dict()}
        if self.kind == "tensorboard":
            self.writer = self.package.SummaryWriter(trainer.out)
        elif self.kind == "wandb":
            self.writer = self.package.init(project="nacre", config=options, dir=trainer.out)
        else:
            self.package.start_run()
            self.package.log_params(options)

    def log(self, trainer: "Trainer", record: Record) -> None:
        """Send one record's numbers."""
        values = {**record.get("losses", {}), **record.get("metrics", {})}
        if self.kind == "tensorboard":
            for name, value in values.items():
                self.writer.add_scalar(name, value, record["step"])
        elif self.kind == "wandb":
            self.writer.log(values, step=record["step"])
        else:
            self.package.log_metrics(values, step=record["step"])

    def finish(self, trainer: "Trainer") -> None:
        """Close the tracker's run."""
        if self.kind == "mlflow":
            self.package.end_run()
        else:
            getattr(self.writer, "close" if self.kind == "tensorboard" else "finish")()


def standard(training: Training, has_folder: bool) -> list[Callback]:
    """The callbacks of a run with these options."""
    callbacks: list[Callback] = []
    if has_folder:
        callbacks += [JsonLog(), SampleGrids(training.sample_steps)]
        callbacks += [Tracker(kind) for kind in training.track]
    if training.eval_every:
        callbacks.append(Evaluation(training.eval_every, training.patience))
    if training.doctor != "off":
        from nacre.engine.doctor.watch import Doctor

        callbacks.append(Doctor(act=training.doctor == "act"))
    if training.progress:
        callbacks.append(Progress())
    return callbacks
