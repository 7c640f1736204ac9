"""`nacre compare`."""

import json as encoding
import os
from pathlib import Path
from typing import Annotated, Any

import tyro

from nacre.errors import NacreError

SETTINGS = ("n", "seed", "features", "draws")


def run(
    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN ...")],
    *,
    html: Path | None = None,
    json: bool = False,
) -> None:
    """Judge runs on the same data side by side: one table, and one page to show.

    Runs that were not evaluated yet, or were trained further since, are evaluated first, with the settings of the
    others. Where the 95 % intervals of the best runs overlap, there is no significant difference.

    Args:
        runs: The run folders.
        html: The page; the default is compare.html in the folder that holds the runs.
        json: Print JSON instead of the table.
    """
    from nacre.cli.evaluate import judge, print_reports, stored
    from nacre.engine.run import RunFolder
    from nacre.metrics.result import Report
    from nacre.report import write_report
    from nacre.report.entry import entries
    from nacre.report.verdict import verdicts

    if html is not None and html.suffix not in (".html", ".htm"):  # a file of another kind would be lost
        raise NacreError(f"--html {html}: the page is HTML; give a name that ends in .html.")
    if not runs:
        raise NacreError("there is nothing to compare; give run folders: nacre compare runs/a runs/b.")
    every = entries([RunFolder(path) for path in runs])
    settings = {entry.label: chosen(stored(entry.run)) for entry in every if stored(entry.run)}
    agree(settings)
    for entry in every:
        if entry.label not in settings:
            if not os.access(entry.run.path, os.W_OK):
                raise NacreError(f"{entry.run.path} is not evaluated and cannot be written to; make it writable.")
            judge(str(entry.run.path), **next(iter(settings.values()), {}))
    common = Path(os.path.commonpath([entry.run.path.resolve().parent for entry in every]))
    page = html or common / "compare.html"
    write_report([entry.run for entry in every], page)
    reports = {entry.label: Report(entry.results.values()) for entry in every}
    if json:
        said = {name: verdict.to_dict() for name, verdict in verdicts({e.label: e.results for e in every}).items()}
        rows = {label: report.to_dict() for label, report in reports.items()}
        print(encoding.dumps({"page": str(page), "runs": rows, "verdicts": said}, indent=2))
    else:
        print_reports(reports)
        print(page)


def chosen(report: dict[str, Any]) -> dict[str, Any]:
    """The settings that a run was evaluated with, as far as its report tells."""
    return {name: report[name] for name in SETTINGS if name in report}


def agree(settings: dict[str, dict[str, Any]]) -> None:
    """Refuse runs that were evaluated with different settings.

    Raises:
        NacreError: They differ in one.
    """
    for name in SETTINGS:
        values = {label: found[name] for label, found in settings.items() if name in found}
        if len(set(values.values())) > 1:
            each = ", ".join(f"{label} with {value}" for label, value in values.items())
            raise NacreError(
                f"the runs were evaluated with different --{name} ({each}); repeat nacre evaluate with one of them."
            )
