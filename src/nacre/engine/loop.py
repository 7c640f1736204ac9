"""The training loop: phases, turns, steps, and never losing work."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from nacre.data.dataset import Data
from nacre.data.loader import Loader
from nacre.engine import distributed
from nacre.engine.average import Average
from nacre.engine.best import Best
from nacre.engine.callbacks import Callback, Record, standard
from nacre.engine.checkpoint import Checkpoints, random_state, restore_random_state
from nacre.engine.ledger import Ledger
from nacre.engine.optim import Slot, check_rates, make_slots
from nacre.engine.play import DivergedError, Play
from nacre.engine.run import RunFolder
from nacre.engine.signals import InterruptedTraining, Signals
from nacre.engine.training import Training
from nacre.errors import NacreError
from nacre.game import Batch, Phase
from nacre.model import Model, has_convolutions, lay_out, restoring, seeded

MINUTES_BETWEEN_CHECKPOINTS = 5
SMALL_WORK = 30_000_000


def fit(
    model: Model,
    data: Any,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    **options: Any,
) -> "Trainer":
    """Train a model; see `Model.fit`.

    Raises:
        NacreError: An option, the data or the folder cannot be used as asked.
        DivergedError: A loss is no longer finite.
        InterruptedTraining: Ctrl-C or SIGTERM; with a run folder the state was saved first.
    """
    from nacre.data.sources import load_data

    training = Training.resolve(model.defaults, options)
    streams = data if isinstance(data, Mapping) else {"data": data}
    trainer = Trainer(model, {name: load_data(source) for name, source in streams.items()}, training, out)
    trainer.run(resume, callbacks)
    return trainer


class Trainer:
    """A run: the model, its data and options, and where training stands.

    Args:
        model: The model, which is moved to the device of the options.
        streams: The data by stream name; "data" is the main one.
        training: The options.
        out: The run folder; without one nothing is written.
    """

    def __init__(
        self, model: Model, streams: Mapping[str, Data], training: Training, out: str | Path | None = None
    ) -> None:
        self.rank, self.world = distributed.rank(), distributed.world()
        self.model = model.to(device_of(training.device))
        lay_out(self.model)
        self.streams = streams
        self.data = streams["data"]
        if self.data.spec.shape != model.spec.shape:
            raise NacreError(
                f"the data have shape {self.data.spec.shape} but the model was made for {model.spec.shape}; "
                f"create it with this data's spec."
            )
        self.training = training = training.for_data(model.defaults, min(map(len, streams.values())), self.world)
        self.out = Path(out) if out is not None else None
        self.phases = list(model.phases())
        self.ends = phase_ends(self.phases, training.steps)
        self.phase = -1
        self.step = 0
        self.plays: list[Play] = []
        self.slots: dict[str, Slot] = {}
        self.loaders = {name: self._loader(name) for name in streams}
        self.trainable = [p for p in model.parameters() if p.requires_grad]
        check_rates(training, model)
        self.average = Average(model, training.ema)
        self.seconds = 0.0
        self.ledger = Ledger()
        self.signals = Signals()
        self.ending, self.saving = "", True
        self.best = Best(training.best) if training.best else None

    @property
    def title(self) -> str:
        """What is being trained, for the progress bar."""
        phase = f" · {self.phases[self.phase].name}" if len(self.phases) > 1 else ""
        return f"{self.model.registered_name()} on {self.data.name or 'your data'}{phase}"

    # The run

    def run(self, resume: bool = False, callbacks: Sequence[Callback] = ()) -> None:
        """Train to the last step; afterwards the model holds the averaged weights and is saved."""
        folder = RunFolder(self.out) if self.out else None
        every = [*standard(self.training, bool(folder)), *callbacks] if self.rank == 0 else []
        checkpoints = Checkpoints(self.out, self.training.keep, self.rank) if self.out else None
        if not resume:
            self._start()  # before the folder is claimed, so that a mistake leaves none behind
            for callback in every:
                callback.check(self)
        if folder and self.rank == 0:
            folder.begin(self.model, self.streams, self.training, resume)
        distributed.barrier()
        if resume and not (checkpoints and self._resume(checkpoints)):
            self._start()
        self.callbacks: list[Callback] = []
        modes = [(module, module.training) for module in self.model.modules()]
        matmul, threads = torch.get_float32_matmul_precision(), torch.get_num_threads()
        with self.signals:
            try:
                torch.set_num_threads(self._threads())
                torch.set_float32_matmul_precision("medium" if self.training.precision == "medium" else "highest")
                self.model.train()
                for callback in every:
                    callback.start(self)
                    self.callbacks.append(callback)
                self._train(checkpoints)
            except DivergedError as error:
                if not any([callback.failed(self, error) for callback in self.callbacks]):
                    raise
            except OSError as error:
                raise NacreError(
                    f"cannot write to {self.out}: {error.strerror or error}; free some space, then go on with: "
                    f"nacre train --resume {self.out}"
                ) from error
            finally:
                torch.set_num_threads(threads)
                torch.set_float32_matmul_precision(matmul)
                for play in self.plays:
                    play.deactivate()
                for callback in self.callbacks:
                    callback.finish(self)
                for module, mode in modes:
                    module.training = mode
        if self.best:
            self._take_best()
        self.average.swap()
        with seeded(self.training.seed), torch.no_grad():
            self.model.finish()
        if self.best:
            distributed.broadcast(self.model)
        fingerprints = [source.fingerprint for source in self.streams.values()]
        self.model.trained_on = tuple(dict.fromkeys([*self.model.trained_on, *fingerprints]))
        if folder and self.rank == 0:
            folder.finish(self)
        distributed.barrier()

    def _start(self) -> None:
        torch.manual_seed(self.training.seed + 1_000_003 * self.rank)
        self.model.begin(self.data)
        distributed.broadcast(self.model)
        self._enter(0)

    def _train(self, checkpoints: Checkpoints | None) -> None:
        log_every, save_every = self.training.log_every, self.training.checkpoint_steps
        self._logged_at = saved_at = time.monotonic()
        self._logged_step = self.step
        self._agree_to_end()
        while self.step < self.training.steps and not self.ending:
            while self.step >= self.ends[self.phase]:
                self._enter(self.phase + 1)
            self._play_step()
            self.step += 1
            if self.step % log_every == 0 or self.step == self.training.steps:
                self._log()
            for callback in self.callbacks:
                if callback.every and self.step % callback.every == 0:
                    callback.step(self)
            if self.training.eval_every and self.step % self.training.eval_every == 0:
                self._agree_to_end()
            stop = self._asked_to_stop()
            if self.ending and not self.saving:
                return
            if checkpoints and (
                stop
                or self.ending
                or self.step % save_every == 0
                or self.step == self.training.steps
                or (self.world == 1 and time.monotonic() - saved_at > 60 * MINUTES_BETWEEN_CHECKPOINTS)
            ):
                self._log()
                checkpoints.save(self.step, self.state())
                saved_at = time.monotonic()
            if stop and self.step < self.training.steps:
                raise InterruptedTraining(self._farewell(checkpoints))

    def end(self, why: str, save: bool = True) -> None:
        """End training after this step, as if it were the last; for callbacks, in a run of one process.

        Args:
            why: A sentence for the user, without its full stop.
            save: Whether a checkpoint of this step is written.
        """
        self.ending, self.saving = why, save
        say(f"{why}.")

    def _agree_to_end(self) -> None:
        """Early stopping is decided by rank 0, which alone evaluates."""
        if self.world > 1 and self.training.patience:
            early = distributed.any_of(bool(self.ending), self.model.device)
            self.ending = self.ending or ("stopped early" if early else "")

    def _take_best(self) -> None:
        """Exchange the last weights for the best ones; the newest checkpoint still holds the last."""
        if self.best is None or self.rank or not self.best.step:
            return
        state = self.best.state(self)
        if state is None:
            say(f"{self.out}/checkpoints/best.pt is missing or damaged; the model is that of step {self.step}.")
            self.best.step = 0
            return
        self._put_weights(state, state)
        say(f"the model is that of step {self.best.step}, the best by {self.best.metric} ({self.best.value:.4g}).")

    def _play_step(self) -> None:
        start = self.ends[self.phase - 1] if self.phase else 0
        progress = (self.step - start) / max(1, self.ends[self.phase] - start)
        self.model.progress.fill_(progress)
        for slot in self.slots.values():
            slot.schedule(progress)
        batches: list[Batch] | None = None
        active: Play | None = None
        for play in self.plays:
            turn = play.turn
            if self.step % turn.every:
                continue
            if active is not play and len(self.plays) > 1:
                if active is not None:
                    active.deactivate()
                play.activate()
                active = play
            for again in range(turn.repeat):
                if turn.stream != "data":
                    drawn = self._draw(turn.stream)
                elif batches is None or again:
                    drawn = batches = self._draw("data")
                else:
                    drawn = batches
                self.ledger.note(self.step + 1, play, play(drawn, self.step + 1))
        if active is not None:
            active.deactivate()
        self.average.update()

    def _draw(self, stream: str) -> list[Batch]:
        if stream not in self.loaders:
            raise NacreError(f"this model also needs data named {stream!r}: fit({{'data': ..., {stream!r}: ...}}).")
        batch = self.loaders[stream].next()
        prepare = self.phases[self.phase].prepare
        if prepare is not None:
            with torch.no_grad():
                batch = prepare(batch)
        return batch.split(self.training.accumulate)

    def _loader(self, stream: str) -> Loader:
        seed = self.training.seed + (0 if stream == "data" else sum(stream.encode()))
        return Loader(self.streams[stream], self.training.batch_size, seed, self.model.device, self.rank, self.world)

    def _enter(self, index: int, resumed: bool = False) -> None:
        for play in self.plays:
            play.deactivate()
        phase, self.phase = self.phases[index], index
        self._entered = self.step, self.seconds
        if phase.enter is not None:
            phase.enter()
        turns = phase.turns()
        before = list(self.slots.values()) if phase.keep_optimizers else []
        self.slots, members = make_slots(self.model, turns, self.training.at_rate(phase.rate), self.trainable)
        for slot in self.slots.values():
            slot.inherit(before)
        self.plays = [
            Play(self.model, turn, slots, self.training, self.trainable)
            for turn, slots in zip(turns, members, strict=True)
        ]
        if len(self.plays) == 1:
            self.plays[0].activate()
        if not resumed and not phase.keep_optimizers:
            self.average.restart()

    def _threads(self) -> int:
        """Few multiplications per step are done before a second thread has woken up, and it may be long in coming."""
        if self.training.threads:
            return self.training.threads
        work = sum(p.numel() for p in self.trainable) * self.training.batch_size
        small = work < SMALL_WORK and not has_convolutions(self.model)
        return 1 if small else torch.get_num_threads()

    # The log

    def _log(self) -> None:
        losses = self.ledger.means()
        if not losses:
            return
        now = time.monotonic()
        rate = (self.step - self._logged_step) / max(now - self._logged_at, 1e-9)
        self.seconds += now - self._logged_at
        self._logged_at, self._logged_step = now, self.step
        samples = max((loader.drawn for loader in self.loaders.values()), default=0) * self.training.batch_size
        self.emit(
            {
                "step": self.step,
                "phase": self.phases[self.phase].name,
                "losses": losses,
                "samples": samples,
                "seconds": round(self.seconds, 3),
                "samples_per_second": round(rate * samples / max(self.step, 1), 1),
                "seconds_left": round(self._seconds_left(), 1),
            }
        )

    def _seconds_left(self) -> float:
        """At the pace of this phase: a step of another may have cost many times as much, or as little."""
        step, seconds = self._entered
        return (self.training.steps - self.step) * (self.seconds - seconds) / max(1, self.step - step)

    def emit(self, record: Record) -> None:
        """Hand a record to every callback."""
        for callback in self.callbacks:
            callback.log(self, record)

    # Saving and going on

    def state(self) -> dict[str, Any]:
        """Everything that a bit-exact resume needs, as tensors and plain values."""
        local = {
            "random": random_state(),
            "buffers": {name: value for name, value in self.model.named_buffers()},
        }
        if self.rank:
            return {"local": local}
        return {
            "local": local,
            "phase": self.phase,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": {"values": self.average.values, "count": self.average.count},
            "slots": {key: slot.state_dict() for key, slot in self.slots.items()},
            "drawn": {name: loader.drawn for name, loader in self.loaders.items()},
        }

    def _put_weights(self, shared: dict[str, Any], local: dict[str, Any]) -> None:
        """The weights, buffers and average of a state."""
        self.model.load_state_dict(shared["model"])
        with torch.no_grad():
            for name, value in self.model.named_buffers():
                value.copy_(local["local"]["buffers"][name])
            for mine, value in zip(self.average.values, shared["average"]["values"], strict=True):
                mine.copy_(value)
        self.average.count = shared["average"]["count"]

    def _resume(self, checkpoints: Checkpoints) -> bool:
        found = checkpoints.steps()
        steps = distributed.common(checkpoints.valid(say))
        if found and not steps:
            raise NacreError(f"every checkpoint in {checkpoints.folder} is damaged; train anew with another --out.")
        if not steps:
            say(f"{self.out} has no checkpoint yet; beginning at step 0.")
            return False
        local = checkpoints.load(steps[-1])
        shared = Checkpoints(checkpoints.folder.parent).load(steps[-1]) if self.rank else local
        self.step, self.seconds = steps[-1], shared["seconds"]
        ahead = [end for end in self.ends if end >= self.step]
        if not ahead:
            raise NacreError(f"{self.out} is at step {self.step} already; give --steps of {self.step} or more.")
        if self.ends.index(min(ahead)) not in (shared["phase"], shared["phase"] + 1):
            raise NacreError(
                f"step {self.step} was in phase {self.phases[shared['phase']].name!r}, which the new number of steps "
                f"ends elsewhere; keep --steps as it was."
            )
        with restoring(checkpoints.folder):
            self.model.load_state_dict(shared["model"])
        self._enter(shared["phase"], resumed=True)
        self._put_weights(shared, local)
        for key, state in shared["slots"].items():
            self.slots[key].load_state_dict(state)
        for name, drawn in shared["drawn"].items():
            self.loaders[name].drawn = drawn
        restore_random_state(local["local"]["random"])
        return True

    def _asked_to_stop(self) -> bool:
        caught = self.signals.caught is not None
        if self.world == 1:
            return caught
        return self.step % self.training.log_every == 0 and distributed.any_of(caught, self.model.device)

    def _farewell(self, checkpoints: Checkpoints | None) -> str:
        if checkpoints is None:
            return f"stopped at step {self.step}; nothing was saved, since the run has no folder."
        return f"stopped at step {self.step} and saved; go on with: nacre train --resume {self.out}"


def say(text: str) -> None:
    """A word to the user, from rank 0 only."""
    if distributed.rank() == 0:
        print(f"nacre: {text}", file=sys.stderr)


def device_of(name: str) -> torch.device:
    """The device of an option: `auto` takes a GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise NacreError(f"there is no device {name!r}; use cpu, cuda or auto.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise NacreError("this machine has no CUDA device; use --device cpu.")
    return device


def phase_ends(phases: Sequence[Phase], steps: int) -> list[int]:
    """The step at which each phase ends, by the phases' shares; the last one ends with the run."""
    total = sum(phase.share for phase in phases)
    ends, done = [], 0.0
    for phase in phases:
        done += phase.share
        ends.append(round(steps * done / total))
    return ends
