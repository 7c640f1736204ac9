"""Models by name: the name is the file's, and nothing is imported before it is asked for."""

import importlib
import inspect
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.errors import NacreError, unknown

if TYPE_CHECKING:
    from nacre.data.spec import Spec
    from nacre.model import Model

MODELS = Path(__file__).parent / "models"


@cache
def files() -> dict[str, Path]:
    """The file of every model, by name: `wgan-gp` is models/*/wgan_gp.py."""
    found = sorted(MODELS.glob("*/*.py"))
    return {path.stem.replace("_", "-"): path for path in found if not path.stem.startswith("_")}


def names() -> list[str]:
    """The names of all models, by family."""
    return list(files())


def family(name: str) -> str:
    """The family a model belongs to: the name of its folder."""
    return files()[name].parent.name


def find(name: str) -> "type[Model]":
    """The class of the model `name`.

    Raises:
        NacreError: There is no such model; the nearest names are given.
    """
    if name not in files():
        raise unknown("model", name, names(), "`nacre models` lists them all.")
    module = importlib.import_module(f"nacre.models.{family(name)}.{files()[name].stem}")
    from nacre.model import Model

    own = [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__]
    (model,) = [c for c in own if issubclass(c, Model)]
    return model


def find_class(class_name: str) -> "type[Model] | None":
    """The model whose class has this name, found without importing the others: WGANGP is wgan-gp."""
    for name in names():
        if name.replace("-", "") == class_name.lower():
            model = find(name)
            return model if model.__name__ == class_name else None
    return None


def hyperparameters(model: "type[Model]") -> dict[str, inspect.Parameter]:
    """The constructor's keywords, in order: the configuration of a model."""
    _, _, *parameters = inspect.signature(model.__init__).parameters.values()  # without self and spec
    return {parameter.name: parameter for parameter in parameters}


def refuse_idle(model: "type[Model]", hparams: dict[str, Any]) -> None:
    """Refuse keywords that were changed but have no effect with the others as they are.

    Raises:
        NacreError: The first of them, with what it needs.
    """
    defaults = {name: parameter.default for name, parameter in hyperparameters(model).items()}
    chosen = {**defaults, **{name: tuple(v) if isinstance(v, list) else v for name, v in hparams.items()}}
    for name, (switch, values) in model.only_with.items():
        if name not in defaults or switch not in defaults or chosen[name] == defaults[name]:
            continue
        if chosen[switch] in values or (not values and chosen[switch]):
            continue
        flag, needs = (f"--{keyword.replace('_', '-')}" for keyword in (name, switch))
        needs = f"{needs} {' or '.join(values)}" if values else needs
        raise NacreError(f"{flag} has no effect without {needs}; add that, or leave {flag} out.")


def create(name: str, spec: "Spec", **hparams: Any) -> "Model":
    """An untrained model by name.

    Args:
        name: As `nacre models` lists it, such as "wgan-gp".
        spec: The shape and units of the data: `data.spec`.
        hparams: Keywords of the model's constructor.

    Raises:
        NacreError: The name or a keyword does not exist, or the model cannot take such data.
    """
    model = find(name)
    known = list(hyperparameters(model))
    for keyword in hparams:
        if keyword not in known:
            raise unknown(f"hyper-parameter of {name}", keyword, known)
    if not hasattr(spec, "shape"):
        raise NacreError("create() takes the data's spec as its second argument: nacre.load_data(...).spec.")
    return model(spec, **{name: tuple(value) if isinstance(value, list) else value for name, value in hparams.items()})
