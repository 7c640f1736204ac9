"""`nacre compare`."""

import json as encoding
import os
from pathlib import Path
from typing import Annotated

import tyro

from nacre.errors import NacreError


def run(
    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN ...")],
    *,
    html: Path | None = None,
    json: bool = False,
) -> None:
    """Judge runs on the same data side by side: one table, and one page to show.

    Runs that were not evaluated yet are evaluated first.

    Args:
        runs: The run folders.
        html: The page; the default is compare.html in the folder that holds the runs.
        json: Print JSON instead of the table.
    """
    from nacre.cli.evaluate import judge, print_reports
    from nacre.engine.run import RunFolder
    from nacre.metrics.result import Report
    from nacre.report import write_report
    from nacre.report.entry import entries

    if not runs:
        raise NacreError("there is nothing to compare; give run folders: nacre compare runs/a runs/b.")
    every = entries([RunFolder(path) for path in runs])
    for entry in every:
        if not (entry.run.path / "report.json").is_file():
            judge(str(entry.run.path))
    common = Path(os.path.commonpath([entry.run.path.resolve().parent for entry in every]))
    page = html or common / "compare.html"
    write_report([entry.run for entry in every], page)
    reports = {entry.label: Report(entry.results.values()) for entry in every}
    if json:
        print(encoding.dumps({"page": str(page), "runs": {name: r.to_dict() for name, r in reports.items()}}, indent=2))
    else:
        print_reports(reports)
        print(page)
