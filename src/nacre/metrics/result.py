"""What a metric says: a value and the protocol it was measured by."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from nacre.errors import unknown


@dataclass(frozen=True)
class Result:
    """One measured number.

    Two results of one name may be compared where their protocols are the same.

    Args:
        name: What was measured, in snake case: "frechet".
        value: The number.
        unit: Of the value, such as "nats"; empty without one.
        better: Which direction is better; empty where a number has a target instead.
        protocol: One line: how many real and generated examples, which split, which features, which seed.
        details: More numbers, plain values for JSON; `standard_error` where the value has one.
    """

    name: str
    value: float
    unit: str = ""
    better: Literal["lower", "higher", ""] = ""
    protocol: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        error = self.details.get("standard_error")
        return f"{self.value:.4g}" + (f" ± {error:.2g}" if error else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Result":
        """The inverse of `to_dict`."""
        return cls(**values)


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
