"""One yardstick for every family: one file per metric, found by its file name.

A metric's module has `obstacle(context)`, which says why the model cannot be judged by it (nothing if it can),
`measure(context)`, which gives its results, and `CHEAP`, whether it is measured during training.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from nacre.data.sources import load_data
from nacre.errors import NacreError, unknown
from nacre.metrics.context import Context
from nacre.metrics.result import Report, Result
from nacre.model import Model

__all__ = ["Report", "Result", "evaluate", "names"]

MACHINERY = {"context", "features", "partition", "result"}


def names() -> list[str]:
    """The names of all metrics: those of their files."""
    stems = sorted(path.stem for path in Path(__file__).parent.glob("*.py"))
    return [stem for stem in stems if not stem.startswith("_") and stem not in MACHINERY]


def find(name: str) -> ModuleType:
    """The module of a metric; hyphens may stand for underscores.

    Raises:
        NacreError: There is no such metric; the nearest names are given.
    """
    stem = name.replace("-", "_")
    if stem not in names():
        raise unknown("metric", name, names())
    return importlib.import_module(f"{__name__}.{stem}")


def evaluate(
    model: Model,
    data: Any,
    metrics: Sequence[str] | None = None,
    *,
    n: int = 10_000,
    seed: int = 0,
    quick: bool = False,
) -> Report:
    """Judge a model by held-out data.

    Args:
        model: The model.
        data: Anything `load_data` takes. Of training data the test split is used; where there is none, the data
            themselves, and the protocols say so.
        metrics: The metrics' names; by default all that apply to the model and the data.
        n: The most real and the most generated examples; 2 or more.
        seed: Draws the examples and the samples.
        quick: Measure only what is cheap, on at most 1,000 examples, as during training.

    Raises:
        NacreError: There is no such metric, or the model cannot be judged by it.
    """
    modules = [find(name) for name in (names() if metrics is None else metrics)]
    context = Context(model, load_data(data), n, seed, quick)
    report = Report()
    for module in modules:
        obstacle = module.obstacle(context)
        if obstacle and metrics is not None:
            name = module.__name__.rpartition(".")[2]
            raise NacreError(f"{model.registered_name()} cannot be judged by {name} here: {obstacle}.")
        if not obstacle and (module.CHEAP or not quick or metrics is not None):
            report.extend(module.measure(context))
    return report
