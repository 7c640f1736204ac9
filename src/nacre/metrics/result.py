"""What a metric says: a value, how sure it is, what to hold it against, and the protocol it was measured by."""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from nacre.errors import unknown


@dataclass(frozen=True)
class Protocol:
    """What decides a measured value besides the model; two values of one name compare where their protocols are equal.

    Args:
        data: The data set judged on.
        split: Its split, and whether the model saw it in training.
        n_real: Real examples used.
        n_generated: Generated examples used.
        resize: The size that images were brought to, if they were.
        features: The extractor of features and the hash of its weights.
        seed: Of the examples, the samples and every draw.
        method: What else decides the value, such as the number of draws or of neighbours.
    """

    data: str = ""
    split: str = ""
    n_real: int = 0
    n_generated: int = 0
    resize: str = ""
    features: str = ""
    seed: int = 0
    method: str = ""

    def __str__(self) -> str:
        generated = f"{self.n_generated:,} samples" if self.n_generated else ""
        split = f":{self.split}" if self.split else ""
        real = f"{self.n_real:,} of {self.data}{split}" if self.n_real else f"{self.data}{split}"
        compared = " against ".join(part for part in (generated, real) if part)
        resize = f"resized to {self.resize}" if self.resize else ""
        parts = [compared, resize, self.features, self.method, f"seed {self.seed}"]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Result:
    """One measured number.

    Args:
        name: What was measured, in snake case: "frechet".
        value: The number.
        unit: Of the value, such as "nats"; empty without one.
        better: Which direction is better; empty where a number has a target instead.
        protocol: How it was measured.
        interval: A 95 % confidence interval, where the metric has one; its method stands in `details["interval"]`.
        references: Values to hold it against, by name, such as "real against real".
        warnings: Where the number may mislead, one sentence each.
        seconds: What the metric took, shared with the other results of its call.
        details: More numbers, plain values for JSON.
    """

    name: str
    value: float
    unit: str = ""
    better: Literal["lower", "higher", ""] = ""
    protocol: Protocol = Protocol()
    interval: tuple[float, float] | None = None
    references: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.value:.4g}"
        return f"{self.value:.4g} ± {(self.interval[1] - self.interval[0]) / 2:.2g}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which has no NaN and no infinity: these become None."""
        return finite(asdict(self))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Result":
        """The inverse of `to_dict`."""
        interval, references = values.get("interval"), values.get("references", {})
        return cls(
            **{
                **values,
                "value": number(values["value"]),
                "references": {name: number(value) for name, value in references.items()},
                "protocol": Protocol(**values.get("protocol", {})),
                "interval": tuple(map(number, interval)) if interval is not None else None,
                "warnings": tuple(values.get("warnings", ())),
            }
        )


def finite(value: Any) -> Any:
    """The same plain values with None in the place of every number that is not finite."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number(value: float | None) -> float:
    """What `finite` was given, or NaN where it was not finite."""
    return math.nan if value is None else value


class Report(list[Result]):
    """The results of an evaluation, in order."""

    def get(self, name: str) -> Result:
        """The result of this name.

        Raises:
            NacreError: It was not measured.
        """
        for result in self:
            if result.name == name:
                return result
        raise unknown("result", name, [result.name for result in self])

    @property
    def warnings(self) -> list[str]:
        """Every warning once."""
        return list(dict.fromkeys(warning for result in self for warning in result.warnings))

    def timed(self, seconds: float) -> "Report":
        """The same results with their time, rounded to milliseconds."""
        return Report(replace(result, seconds=round(seconds, 3)) for result in self)

    def __str__(self) -> str:
        return "\n".join(f"{r.name:<20} {r!s:<18} {r.unit:<12} {r.protocol}" for r in self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the content of a run's `report.json`."""
        return {"metrics": [result.to_dict() for result in self]}

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Report":
        """The inverse of `to_dict`; other keys are ignored."""
        return cls(Result.from_dict(row) for row in values["metrics"])
