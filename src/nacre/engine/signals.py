"""Ctrl-C and SIGTERM stop training at the end of a step, so that it can be saved."""

import signal
from types import FrameType
from typing import Any


class InterruptedTraining(KeyboardInterrupt):
    """Training was stopped by a signal, after its state was saved."""


class Signals:
    """Remember the first Ctrl-C or SIGTERM as `caught`; a second one ends the program at once.

    Of nested trainings, such as a metric's classifier inside a run, only the outermost listens.
    """

    def __init__(self) -> None:
        self.caught: int | None = None
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        """Listen, where Python allows it: in the main thread."""
        if isinstance(getattr(signal.getsignal(signal.SIGINT), "__self__", None), Signals):
            return self
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._catch)
        except ValueError:
            self.before = {}
        return self

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.caught is not None:
            raise KeyboardInterrupt
        self.caught = number

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
