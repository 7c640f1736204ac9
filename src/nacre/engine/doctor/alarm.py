"""An alarm, how it is read back from a log, and what an ailment is."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from nacre.engine.doctor.checkup import Checkup


@dataclass(frozen=True)
class Alarm:
    """What the doctor has found.

    Args:
        name: The ailment.
        since: The step of the first checkup that saw it.
        seen: What was seen, a sentence with numbers.
        advice: What usually helps.
        action: What `--doctor act` does: "stop" or "roll back".
        over: The step of the checkup that no longer saw it; None while it lasts.
    """

    name: str
    since: int
    seen: str
    advice: str
    action: str
    over: int | None = None

    def __str__(self) -> str:
        """One line for the console."""
        return f"{self.name} since step {self.since:,}: {self.seen}. What usually helps: {self.advice}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `log.jsonl`."""
        return asdict(self)


def alarms(records: Iterable[Mapping[str, Any]]) -> list[Alarm]:
    """The alarms in the records of a `log.jsonl`, oldest first.

    An alarm whose end was logged has its `over`; one that is raised anew after a resume is counted once.
    """
    found: list[Alarm] = []
    for record in records:
        if "doctor" not in record:
            continue
        alarm = Alarm(**record["doctor"])
        last = next((i for i in reversed(range(len(found))) if found[i].name == alarm.name), None)
        if last is None or found[last].over is not None:
            found.append(alarm)
        elif alarm.over is not None:
            found[last] = alarm
    return found


class Ailment(ABC):
    """Something that can go wrong, and how to see it.

    An alarm is raised when `patience` checkups in a row have seen it. Nothing is looked at before `share` of the
    phase's steps, since much that would be ill later on is only young.
    """

    name: ClassVar[str]
    advice: ClassVar[str]
    action: ClassVar[str] = "stop"
    patience: ClassVar[int] = 3
    share: ClassVar[float] = 0.0

    @abstractmethod
    def look(self, checkup: "Checkup") -> str:
        """What is wrong, in words with numbers; empty where nothing is, or where the model cannot show it."""
