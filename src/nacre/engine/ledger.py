"""What the losses were since the last line of the log."""

import math
from typing import Any

import torch
from torch import Tensor

from nacre.engine import distributed
from nacre.engine.play import Play, diverged


class Ledger:
    """Collects the terms of every turn and gives their means, without waiting for the device in between."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, Play, list[str], Any]] = []

    def note(self, step: int, play: Play, terms: list[tuple[str, Tensor]]) -> None:
        """Take in the terms of one turn."""
        names, values = [name for name, _ in terms], [value for _, value in terms]
        if play.check_now:
            self.entries.append((step, play, names, [value.item() for value in values]))
        else:  # the numbers are read when the log is written
            self.entries.append((step, play, names, torch.stack(values)))

    def means(self) -> dict[str, float]:
        """The mean of every term since the last call, by column name.

        Raises:
            DivergedError: A term was not finite; it is named with its turn and step.
        """
        entries, self.entries = self.entries, []
        rows = [values for *_, values in entries]
        if entries and not entries[0][1].check_now:
            numbers = iter(distributed.mean(torch.cat([row.float() for row in rows])).tolist())
            rows = [[next(numbers) for _ in row] for row in rows]
        collected: dict[tuple[str, str], list[float]] = {}
        for (step, play, names, _), row in zip(entries, rows, strict=True):
            for name, value in zip(names, row, strict=True):
                if not math.isfinite(value):
                    raise diverged(play.turn.name, name, value, step)
                collected.setdefault((play.turn.name, name), []).append(value)
        terms = [term for _, term in collected]
        return {
            term if terms.count(term) == 1 else f"{turn} {term}": sum(values) / len(values)
            for (turn, term), values in collected.items()
        }
