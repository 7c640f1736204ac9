"""A run as the page shows it: its name, its colour, and what its folder says."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nacre.engine.run import RunFolder
from nacre.errors import NacreError
from nacre.metrics.result import Result
from nacre.model import Model


@dataclass
class Entry:
    """One run on the page.

    Args:
        run: Its folder.
        label: What the page calls it.
        color: The number of its colour.
    """

    run: RunFolder
    label: str
    color: int

    @cached_property
    def model(self) -> Model:
        """The trained model."""
        return self.run.load()

    @cached_property
    def results(self) -> dict[str, Result]:
        """What was measured, by name; empty before `nacre evaluate`."""
        return {result.name: result for result in self.run.report}

    @cached_property
    def log(self) -> list[dict[str, Any]]:
        """The records of its log."""
        return self.run.log()


def entries(runs: Sequence[RunFolder]) -> list[Entry]:
    """The runs under names of their own: the models', or where two are alike the folders', or the whole paths.

    Raises:
        NacreError: The runs were not trained on the same data.
    """
    if not runs:
        raise NacreError("there is nothing to compare; give at least one run folder.")
    sources = {run.config["data"]["data"]["name"] or run.config["data"]["data"]["fingerprint"] for run in runs}
    if len(sources) > 1 or len({tuple(run.config["spec"]["shape"]) for run in runs}) > 1:
        raise NacreError(f"the runs saw different data ({', '.join(sorted(sources))}); compare runs on one data set.")
    models, folders = [run.config["model"] for run in runs], [run.path.resolve().name for run in runs]
    labels = next((names for names in (models, folders) if len(set(names)) == len(runs)), [str(r.path) for r in runs])
    return [Entry(run, label, i) for i, (run, label) in enumerate(zip(runs, labels, strict=True))]
