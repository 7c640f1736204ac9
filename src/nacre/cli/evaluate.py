"""`nacre evaluate`."""

from __future__ import annotations

import json as encoding
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from nacre.errors import NacreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nacre.engine.run import RunFolder
    from nacre.metrics.result import Report, Result

ARROWS = {"lower": "↓", "higher": "↑", "": " "}


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|SAMPLES")],
    *,
    data: str = "",
    metrics: tuple[str, ...] = (),
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 10_000,
    seed: int = 0,
    features: Literal["data", "pixels", "pca", "inception"] = "data",
    draws: int = 100,
    labels: tuple[int, ...] = (),
    json: bool = False,
) -> None:
    """Judge a run, or samples of any origin, on held-out data: one table of numbers, each with how it was measured.

    A run's numbers go into its report.json and its MODEL_CARD.md; numbers of other metrics that stand there stay, as
    long as the weights are the same. Beside samples nothing is written.

    Args:
        run: The run folder; or samples: a .npz, .npy or .csv file, or a folder of images.
        data: Other data than the run's own: a name, a path or a Hugging Face id. Samples need it.
        metrics: Only these, such as frechet elbo; all that apply by default.
        n: The most real and the most generated examples.
        seed: Draws the examples and the samples.
        features: What samples are compared in: those of a network trained on the data, pixels, pca or inception.
        draws: Draws of the latent per example for likelihoods.
        labels: How many labels representations are judged with, 0 for all; 100, 1,000 and all by default.
        json: Print JSON.
    """

    def show(report: Report) -> None:
        if json:
            print(report.to_json())
        else:
            print_reports({Path(run).resolve().name: report})

    judge(run, data, metrics, show, n=n, seed=seed, features=features, draws=draws, labels=labels)


def judge(
    run: str,
    data: str = "",
    metrics: Sequence[str] = (),
    show: Callable[[Report], None] = lambda report: None,
    **options: Any,
) -> None:
    """Evaluate a run, show what was measured, and write the run's `report.json` and `MODEL_CARD.md`.

    Args:
        run: A run folder, a folder of `save_pretrained`, or samples.
        data: What to judge by; "" is the run's own.
        metrics: Their names; all that apply by default.
        show: Called with the report, also where the folder cannot be written to.
        options: `n`, `seed`, `features`, `draws` and `labels` of `nacre.metrics.evaluate`.

    Raises:
        NacreError: Samples were given without data, or a metric does not apply.
    """
    import os

    from rich.console import Console

    from nacre.api import load
    from nacre.cli.input import held_out, named
    from nacre.data.sources import load_data
    from nacre.engine.run import RunFolder
    from nacre.metrics import evaluate

    folder = RunFolder(run) if (Path(run) / "run.json").is_file() else None
    if folder is None and not Path(run).exists():
        raise NacreError(f"{run} does not exist; give the --out of a `nacre train`, or samples: a file or a folder.")
    if folder is None and not data:
        raise NacreError(f"{run} is no run; to judge samples name the real data to hold them against: --data mnist.")
    with Console(stderr=True).status(f"judging {run}"):
        if folder is None:
            saved = (Path(run) / "config.json").is_file()
            subject, source = (load(run), named(run, data)) if saved else (run, load_data(data))
            report = evaluate(subject, source, metrics or None, **options)
        else:
            source = held_out(run, data)
            previous(folder)  # a damaged report is said before the work
            pictures = folder.path / "pictures" if os.access(folder.path, os.W_OK) else None
            report = evaluate(folder.load(), source, metrics or None, **options, pictures=pictures)
    show(report)
    if folder is None:
        return
    about = {"name": source.name, "split": source.split, "n": len(source), "fingerprint": source.fingerprint}
    keep(folder, report, {"data": about, **options})


def keep(folder: RunFolder, report: Report, about: dict[str, Any]) -> None:
    """Write a report into a run, beside the results of other metrics that its present weights were judged by before.

    Every result carries its own protocol, so that results of different evaluations stand side by side unmixed.
    """
    from nacre import __version__
    from nacre.card import model_card
    from nacre.engine.checkpoint import write_atomically
    from nacre.metrics.result import Report

    now = {result.name for result in report}
    before = Report(result for result in previous(folder) if result.name not in now)
    content = {
        **Report([*report, *before]).to_dict(),
        "model": folder.config["model"],
        "weights": weights(folder),
        **about,
        "nacre": __version__,
    }
    write_atomically(folder.path / "report.json", (encoding.dumps(content, indent=2) + "\n").encode())
    write_atomically(folder.path / "MODEL_CARD.md", model_card(folder).encode())


def stored(folder: RunFolder) -> dict[str, Any]:
    """What a run's `report.json` says of its present weights; empty where it has none, or none of these weights."""
    content = folder.read("report.json")
    return content if content.get("weights", weights(folder)) == weights(folder) else {}


def previous(folder: RunFolder) -> Report:
    """The results in a run's `report.json` that are of its present weights."""
    from nacre.metrics.result import Report

    return folder.report if stored(folder) else Report()


def weights(folder: RunFolder) -> str:
    """16 hexadecimal digits of the run's weights: of the finished model, or of its newest checkpoint."""
    import hashlib

    from nacre.engine.checkpoint import Checkpoints

    file = folder.path / "model" / "model.safetensors"
    if not file.is_file():
        checkpoints = Checkpoints(folder.path)
        file = checkpoints.path(max(checkpoints.steps(), default=0))
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else ""


def print_reports(reports: dict[str, Report]) -> None:
    """Print one table of all runs, metrics down and runs across; below it how each was measured, and the warnings."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from nacre.report.verdict import verdicts

    console = Console()
    table = Table("metric", box=box.SIMPLE_HEAD, pad_edge=False)
    for label in reports:
        table.add_column(Text(label), justify="right")
    table.add_column("unit", style="dim")
    every = {label: {result.name: result for result in report} for label, report in reports.items()}
    words: dict[str, list[str]] = {}
    for name, said in verdicts(every).items():
        found = {label: results.get(name) for label, results in every.items()}
        some = next(result for result in found.values() if result)
        cells = [
            Text(str(result or "-"), style="bold" if label in said.best and not said.tied else "")
            for label, result in found.items()
        ]
        table.add_row(Text(f"{ARROWS[some.better]} {name}"), *cells, Text(some.unit))
        if said.text:
            words.setdefault(said.text, []).append(name)
    console.print(table)
    for text, names in words.items():
        console.print(f"{text}: {', '.join(names)}", highlight=False, markup=False, soft_wrap=True)
    for line in explanations(every):
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)
    several = len(reports) > 1
    for label, report in reports.items():
        for warning in report.warnings:
            text = f"warning: {f'{label}: ' if several else ''}{warning}"
            console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)


def explanations(every: dict[str, dict[str, Result]]) -> list[str]:
    """For each metric the values to hold it against, and how it was measured."""
    lines = []
    for name in dict.fromkeys(name for results in every.values() for name in results):
        found = {label: results[name] for label, results in every.items() if name in results}
        marks = dict.fromkeys(mark for result in found.values() for mark in result.references)
        against = " · ".join(text for mark in marks for text in marked(mark, found))
        lines += [f"{name}: {against}"] if against else []
        lines += [f"{name}: {line}" for line in dict.fromkeys(str(result.protocol) for result in found.values())]
    return lines


def marked(mark: str, found: dict[str, Result]) -> list[str]:
    """A reference with its value; where it differs from run to run, once for each of them."""
    values = {label: f"{r.references[mark]:.4g}" for label, r in found.items() if mark in r.references}
    if len(set(values.values())) == 1:
        return [f"{mark} {next(iter(values.values()))}"]
    return [f"{mark} {value} ({label})" for label, value in values.items()]
