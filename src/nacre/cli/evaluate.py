"""`nacre evaluate`."""

from __future__ import annotations

import json as encoding
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nacre.metrics.result import Report


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    data: str = "",
    metrics: tuple[str, ...] = (),
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 10_000,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Judge a run on held-out data: one table of numbers, each with how it was measured.

    The numbers go into the run's report.json and its MODEL_CARD.md.

    Args:
        run: The run folder.
        data: Other data than the run's own: a name, a path or a Hugging Face id.
        metrics: Only these, such as frechet elbo; all that apply by default.
        n: The most real and the most generated examples.
        seed: Draws the examples and the samples.
        json: Print JSON.
    """
    report = judge(run, data, metrics, n, seed)
    if json:
        print(report.to_json())
    else:
        print_reports({Path(run).resolve().name: report})


def judge(run: str, data: str = "", metrics: Sequence[str] = (), n: int = 10_000, seed: int = 0) -> Report:
    """Evaluate a run and write its `report.json` and `MODEL_CARD.md`."""
    from rich.console import Console

    from nacre import __version__
    from nacre.card import model_card
    from nacre.cli.input import held_out
    from nacre.engine.checkpoint import write_atomically
    from nacre.engine.run import RunFolder
    from nacre.metrics import evaluate

    folder = RunFolder(run)
    model, source = folder.load(), held_out(run, data)
    with Console(stderr=True).status(f"judging {run}"):
        report = evaluate(model, source, metrics or None, n=n, seed=seed)
    content = {
        **report.to_dict(),
        "model": folder.config["model"],
        "data": {"name": source.name, "split": source.split, "n": len(source), "fingerprint": source.fingerprint},
        "n": n,
        "seed": seed,
        "nacre": __version__,
    }
    write_atomically(folder.path / "report.json", (encoding.dumps(content, indent=2) + "\n").encode())
    write_atomically(folder.path / "MODEL_CARD.md", model_card(folder).encode())
    return report


def print_reports(reports: dict[str, Report]) -> None:
    """Print one table of all runs, metrics down and runs across, and below it how each was measured."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    arrows = {"lower": "↓", "higher": "↑", "": " "}
    console = Console()
    table = Table("metric", box=box.SIMPLE_HEAD, pad_edge=False)
    for label in reports:
        table.add_column(label, justify="right")
    table.add_column("unit", style="dim")
    every = [{result.name: result for result in report} for report in reports.values()]
    names = list(dict.fromkeys(name for results in every for name in results))
    protocols: list[str] = []
    for name in names:
        found = [results.get(name) for results in every]
        some = next(result for result in found if result)
        table.add_row(f"{arrows[some.better]} {name}", *(str(result or "-") for result in found), some.unit)
        protocols += [f"{name}: {line}" for line in dict.fromkeys(str(result.protocol) for result in found if result)]
    console.print(table)
    for line in protocols:
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)
