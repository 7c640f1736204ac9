"""Which run is best by a metric, and whether the measurement can tell."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nacre.metrics.result import Protocol, Result

OF_CODES = ("probe", "knn", "svm", "finetune")


@dataclass(frozen=True)
class Verdict:
    """What comparing one metric's results says.

    Args:
        best: The runs that are best: one, or several that the intervals do not tell apart; empty without a comparison.
        tied: Whether there are several.
        text: The same in words; empty where there is nothing to compare.
    """

    best: tuple[str, ...] = ()
    tied: bool = False
    text: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"best": list(self.best), "significant": bool(self.best) and not self.tied, "text": self.text}


def verdict(results: Mapping[str, Result]) -> Verdict:
    """Compare the results of one metric by the labels of their runs.

    Two results are told apart where their 95 % intervals do not overlap; one without an interval counts as a point.
    Only results of one protocol compare, and only those of a metric with a better direction.
    """
    found = list(results.values())
    if len(found) < 2 or not found[0].better:
        return Verdict()
    if len({comparable(result) for result in found}) > 1:
        return Verdict(text="measured in different ways: no comparison")
    numbers = {label: result for label, result in results.items() if result.value == result.value}
    if not numbers:
        return Verdict()
    sign = 1 if found[0].better == "higher" else -1
    top = max(numbers, key=lambda label: sign * numbers[label].value)
    best = tuple(label for label in numbers if overlap(numbers[label], numbers[top]))
    if len(best) == 1:
        return Verdict(best, False, f"{top} is best")
    among = "" if len(best) == len(results) else f" between {', '.join(best[:-1])} and {best[-1]}"
    return Verdict(best, True, f"no significant difference{among}")


def comparable(result: Result) -> Protocol:
    """The protocol as far as results must agree in it; a judge of codes is meant to see each model's own features."""
    own = result.name.partition("_")[0] in OF_CODES
    return replace(result.protocol, features="") if own else result.protocol


def overlap(a: Result, b: Result) -> bool:
    """Whether two intervals share a point."""
    (low, high), (other_low, other_high) = (r.interval or (r.value, r.value) for r in (a, b))
    return low <= other_high and other_low <= high


def verdicts(runs: Mapping[str, Mapping[str, Result]]) -> dict[str, Verdict]:
    """The verdict on every metric that any run was judged by, in order.

    Args:
        runs: By the run's label, its results by name.
    """
    names = dict.fromkeys(name for results in runs.values() for name in results)
    return {
        name: verdict({label: results[name] for label, results in runs.items() if name in results}) for name in names
    }
