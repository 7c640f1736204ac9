"""One yardstick for every family: one file per metric, found by its file name.

A metric's module has `obstacle(context)`, which says why the model cannot be judged by it (nothing if it can),
`measure(context)`, which gives its results, `CHEAP`, whether it is measured during training, and perhaps
`ON_REQUEST = True`, if it is measured only when it is named.
"""

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from nacre.data.sources import load_data
from nacre.errors import NacreError, unknown
from nacre.metrics.context import Context
from nacre.metrics.given import subject
from nacre.metrics.result import Protocol, Report, Result

__all__ = ["Protocol", "Report", "Result", "evaluate", "names"]

MACHINERY = {
    "codes",
    "context",
    "contrastive",
    "embedded",
    "features",
    "given",
    "inception",
    "intervals",
    "labelled",
    "neighbours",
    "partition",
    "patches",
    "probes",
    "remembered",
    "result",
    "store",
}


METRIC_OF = {
    result: metric
    for metric, results in {
        "aggregate": ["mutual_information", "prior_mmd"],
        "contraction": ["jacobian_norm"],
        "density_coverage": ["density", "coverage"],
        "elbo": ["distortion", "rate", "active_units"],
        "finetune": ["finetune_gain"],
        "log_likelihood": ["ais_gap"],
        "memorisation": ["memorised"],
        "modes": ["high_quality", "mode_divergence", "mode_width"],
        "obedience": ["label_obeyed", "thickness_error", "slant_error", "ink_error"],
        "pca": ["pca_ratio", "pca_angle"],
        "precision_recall": ["precision", "recall"],
        "rarest_class": ["commonest_class"],
        "representation": ["probe", "knn"],
        "stacked_modes": ["stacked_divergence"],
        "truncation": ["truncation_precision", "truncation_recall"],
        "usefulness": ["train_on_generated", "augmentation"],
        "validity": ["distinct_valid", "length_distance", "bigram_divergence"],
    }.items()
    for result in results
}


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
    if metric := METRIC_OF.get(stem.rstrip("0123456789").removesuffix("_all").rstrip("_")):
        raise NacreError(f"{name} is a result of the metric {metric}; use {metric}.")
    if stem not in names():
        raise unknown("metric", name, names())
    return importlib.import_module(f"{__name__}.{stem}")


def evaluate(
    model: Any,
    data: Any,
    metrics: Sequence[str] | None = None,
    *,
    n: int = 10_000,
    seed: int = 0,
    quick: bool = False,
    features: str = "data",
    draws: int = 100,
    labels: Sequence[int] = (),
    pictures: str | Path | None = None,
) -> Report:
    """Judge a model, or samples of one, by held-out data.

    Args:
        model: A model, a run folder, or samples: an array, a folder of images, anything else `load_data` takes.
        data: Anything `load_data` takes. Of training data the test split is used; where there is none, the data
            themselves, and the protocols say so.
        metrics: The metrics' names, or a single one; by default all that apply to the model and the data.
        n: The most real and the most generated examples; 2 or more.
        seed: Draws the examples and the samples.
        quick: Measure only what is cheap, on at most 1,000 examples, as during training.
        features: What samples are compared in: "data" (a network trained on these data), "pixels", "pca" or
            "inception".
        draws: Draws of the latent per example for likelihoods, 1 or more.
        labels: How many labels representations are judged with, 0 for all; 100, 1,000 and all by default.
        pictures: A folder for the pictures that metrics draw.

    Raises:
        NacreError: There is no such metric, or the model cannot be judged by it.
    """
    metrics = [metrics] if isinstance(metrics, str) else metrics
    modules = [find(name) for name in (names() if metrics is None else metrics)]
    source = load_data(data)
    folder = Path(pictures) if pictures else None
    context = Context(subject(model, source), source, n, seed, quick, features, draws, tuple(labels), folder)
    report = Report()
    for module in modules:
        if metrics is None and (getattr(module, "ON_REQUEST", False) or (quick and not module.CHEAP)):
            continue
        began = time.perf_counter()
        if not (obstacle := module.obstacle(context)):
            results = Report(module.measure(context))
            report.extend(results.timed(time.perf_counter() - began))
        elif metrics is not None:
            name = module.__name__.rpartition(".")[2]
            raise NacreError(f"{context.model.registered_name()} cannot be judged by {name} here: {obstacle}.")
    return report
