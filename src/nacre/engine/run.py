"""The run folder: what it holds, and when it may be written to."""

import json
import platform
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from nacre import __version__
from nacre.data.dataset import Data, LazyData
from nacre.engine.checkpoint import write_atomically
from nacre.engine.training import Training
from nacre.errors import NacreError
from nacre.model import Model, build, restoring

if TYPE_CHECKING:
    from nacre.engine.loop import Trainer
    from nacre.metrics.result import Report

MAY_CHANGE = {"steps", "device", "progress", "threads", "track", "keep", "log_every", "sample_every", "eval_every"}
MAY_CHANGE |= {"checkpoint_every", "doctor", "patience"}


class RunFolder:
    """One training run on disk.

    `run.json` (model, options, data, versions), `log.jsonl`, `samples/`, `checkpoints/`, `model/`, `report.json`,
    `MODEL_CARD.md`.

    Args:
        path: The folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def config(self) -> dict[str, Any]:
        """What `run.json` says.

        Raises:
            NacreError: This is no run folder.
        """
        if not (self.path / "run.json").is_file():
            what = "is not a run folder: it has no run.json" if self.path.exists() else "does not exist"
            raise NacreError(f"{self.path} {what}; give the --out of a `nacre train`.")
        config = self.read("run.json")
        if not {"model", "hparams", "spec", "training", "data", "versions"} <= config.keys():
            raise self._damaged("run.json")
        return config

    def read(self, name: str) -> dict[str, Any]:
        """What a JSON file of the run says; nothing where there is none.

        Raises:
            NacreError: It cannot be read, or is damaged.
        """
        try:
            content = json.loads((self.path / name).read_text())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise NacreError(f"{self.path / name} cannot be read ({error.strerror}); make it readable.") from error
        except ValueError:
            raise self._damaged(name) from None
        if not isinstance(content, dict):
            raise self._damaged(name)
        return content

    def _damaged(self, name: str) -> NacreError:
        instead = "train anew into another --out" if name == "run.json" else "remove it and measure again"
        return NacreError(f"{self.path / name} is damaged; restore it from a copy, or {instead}.")

    @property
    def report(self) -> "Report":
        """What `report.json` says was measured; empty before the first evaluation.

        Raises:
            NacreError: The file cannot be read, or is damaged.
        """
        from nacre.metrics.result import Report

        try:
            return Report.from_dict({"metrics": [], **self.read("report.json")})
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._damaged("report.json") from None

    def begin(self, model: Model, streams: Mapping[str, Data], training: Training, resume: bool) -> None:
        """Claim the folder for a run, or check that a run in it may go on.

        Raises:
            NacreError: The folder holds another run, or the configuration has changed.
        """
        config = {
            "model": model.registered_name(),
            "hparams": model.hparams,
            "spec": model.spec.to_dict(),
            "training": training.to_dict(),
            "data": {name: {"name": d.name, "split": d.split, "size": d.size, "n": len(d),
                            "fingerprint": d.fingerprint,
                            **({"attributes": d.spec.attributes} if d.spec.attributes else {}),
                            **({"color": d.color} if d.color else {}),
                            **({"label": d.label} if d.label else {}),
                            **({"columns": d.columns} if d.columns else {}),
                            **({"limit": d.limit} if d.limit else {}),
                            **({"soften": d.soften} if d.soften else {}),
                            **({"seed": d.seed} if d.seed else {}),
                            **({"encoded": True} if isinstance(d, LazyData) else {})}
                     for name, d in streams.items()},
            "seed": training.seed,
            "versions": {"nacre": __version__, "torch": torch.__version__, "python": platform.python_version()},
        }  # fmt: skip
        config = json.loads(json.dumps(config))
        if (self.path / "run.json").exists():
            if not resume:
                raise NacreError(
                    f"{self.path} already holds a run; add --resume to go on with it, or choose another --out."
                )
            self._check_unchanged(config)
        elif resume:
            raise NacreError(f"{self.path} holds no run to resume; leave --resume out to start one.")
        elif self.path.exists() and not self.path.is_dir():
            raise NacreError(f"{self.path} is a file; choose another --out.")
        write_atomically(self.path / "run.json", (json.dumps(config, indent=2) + "\n").encode())
        (self.path / "samples").mkdir(exist_ok=True)

    def _check_unchanged(self, new: dict[str, Any]) -> None:
        old, changes = self.config, []
        for part in ("model", "hparams", "training", "data"):
            before, after = old[part], new[part]
            if part == "data":  # where images are kept is no matter
                before, after = (
                    {f"{name}'s {fact}": value for name, of in streams.items() for fact, value in of.items()}
                    for streams in (before, after)
                )
                before["data's encoded"] = after.get("data's encoded")
            if not isinstance(before, dict):
                before, after = {part: before}, {part: after}
            for key in before.keys() | after.keys():
                if before.get(key) != after.get(key) and not (part == "training" and key in MAY_CHANGE):
                    changes.append(f"{key} was {before.get(key)} and is now {after.get(key)}")
        if changes:
            raise NacreError(
                f"{self.path} was trained otherwise: {'; '.join(sorted(changes))}; resume with the same "
                f"options and data, or choose another --out."
            )

    def finish(self, trainer: "Trainer") -> None:
        """Write the trained model and its card.

        Raises:
            NacreError: The disk is full; the last checkpoint is whole.
        """
        from safetensors import SafetensorError

        from nacre.card import model_card

        try:
            if trainer.best and trainer.best.step:
                config = {**self.config, "best": trainer.best.to_dict()}
                write_atomically(self.path / "run.json", (json.dumps(config, indent=2) + "\n").encode())
            trainer.model.save_pretrained(self.path / "model")
            write_atomically(self.path / "MODEL_CARD.md", model_card(self).encode())
        except (OSError, SafetensorError) as error:
            raise NacreError(
                f"cannot write to {self.path} ({error}); training is done and saved: free some space, then: "
                f"nacre train --resume {self.path}"
            ) from error

    def load(self) -> Model:
        """The trained model; of a run that is not finished, the average at its newest checkpoint."""
        from nacre.engine.average import Average
        from nacre.engine.checkpoint import Checkpoints

        config = self.config
        if (self.path / "model" / "config.json").is_file():
            return Model.from_pretrained(self.path / "model")
        checkpoints = Checkpoints(self.path)
        steps = checkpoints.valid(lambda text: None)
        if not steps:
            raise NacreError(f"{self.path} holds no model and no checkpoint yet; wait, or resume its training.")
        state = checkpoints.load(steps[-1])
        with restoring(self.path):
            model = build(config)
            model.load_state_dict(state["model"])
        average = Average(model, config["training"]["ema"])
        for mine, value in zip(average.values, state["average"]["values"], strict=True):
            mine.copy_(value)
        average.swap()
        return model.eval()

    def log(self) -> list[dict[str, Any]]:
        """The records of `log.jsonl`, oldest first."""
        file = self.path / "log.jsonl"
        lines = file.read_text().splitlines(keepends=True) if file.is_file() else []
        try:
            return [json.loads(line) for line in lines if line.endswith("\n")]  # the last may be half written
        except ValueError:
            raise NacreError(f"{file} is damaged; restore it from a copy, or remove the line that is none.") from None

    def command(self) -> str:
        """The command that repeats the run."""
        from nacre.registry import find

        config = self.config
        model = find(config["model"])
        defaults = Training.resolve(model.defaults, {}).to_dict()
        from nacre.registry import hyperparameters

        usual = {k: list(v.default) if isinstance(v.default, tuple) else v.default
                 for k, v in hyperparameters(model).items()}  # fmt: skip
        flags = [(k, v) for k, v in config["hparams"].items() if usual.get(k) != v]
        flags += [(k, v) for k, v in config["training"].items() if defaults[k] != v and k != "progress"]
        data = config["data"]["data"]
        source = data["name"] + (f":{data['split']}" if data["split"] != "train" else "")
        flags += [("size", data["size"])] if data["size"] else []
        flags += [
            (name, data[name])
            for name in ("attributes", "label", "columns", "color", "limit", "soften")
            if data.get(name)
        ]
        words = ["nacre train", config["model"], shlex.quote(source) if source else "DATA"]
        return " ".join([*words, *(flag(k, v) for k, v in flags)])


def flag(name: str, value: Any) -> str:
    """An option as the command line takes it."""
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    return f"--{option} {shlex.join(map(str, value if isinstance(value, list) else [value]))}"
