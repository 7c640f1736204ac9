"""The calls that do everything at once: `nacre.train` and `nacre.load`."""

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from nacre.data.dataset import Data
from nacre.data.sources import load_data
from nacre.engine.run import RunFolder
from nacre.engine.training import Training
from nacre.errors import NacreError, unknown
from nacre.model import Model
from nacre.registry import create, find, hyperparameters, refuse_idle


def train(model: str, data: Any, *, out: str | Path | None = None, resume: bool = False, **options: Any) -> Model:
    """Create a model for the data and train it, as `nacre train` does.

    Args:
        model: A model's name.
        data: Anything `load_data` takes.
        out: The run folder; without one nothing is written.
        resume: Go on with the run in `out`.
        options: Hyper-parameters of the model and training options together: `latent=16, steps=5_000`.

    Returns:
        The trained model.
    """
    known = hyperparameters(find(model))
    hparams = {name: value for name, value in options.items() if name in known}
    training = {name: value for name, value in options.items() if name not in known}
    every = [field.name for field in fields(Training)]
    for name in training:
        if name not in every:
            raise unknown("option", name, [*known, *every])
    source = load_data(data)
    if not resume:
        refuse_useless(find(model), source, hparams)
    torch.manual_seed(Training.resolve(find(model).defaults, training).seed)
    return create(model, source.spec, **hparams).fit(source, out=out, resume=resume, **training)


def refuse_useless(model: type[Model], data: Data, hparams: dict[str, Any]) -> None:
    """Refuse to begin a training of which a part would do nothing.

    Raises:
        NacreError: There is one example only, the model takes no attributes, or a keyword has no effect.
    """
    refuse_idle(model, hparams)
    if len(data) < 2:
        raise NacreError(f"{data.name or 'the data'} has {len(data)} training example, which is too few to learn from.")
    if data.spec.attributes and "attributes" not in inspect.signature(model.sample).parameters:
        raise NacreError(f"{model.registered_name()} is told no attributes; leave them out, or train a cvae.")


def load(path: str | Path) -> Model:
    """A trained model from a run folder, a folder that `save_pretrained` wrote, or the Hub: `hf:owner/name`.

    Raises:
        NacreError: There is no model there.
    """
    if str(path).startswith("hf:"):
        try:
            return Model.from_pretrained(str(path)[3:])
        except (OSError, ValueError) as error:
            raise NacreError(
                f"cannot load {path} from the Hub ({type(error).__name__}); check name and network."
            ) from None
    folder = Path(path)
    if (folder / "config.json").is_file() and not (folder / "run.json").is_file():
        return Model.from_pretrained(folder)
    return RunFolder(folder).load()
