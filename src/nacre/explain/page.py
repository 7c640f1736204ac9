"""What a topic shows: tables of numbers and a figure."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nacre.errors import NacreError

Row = dict[str, float | str]


@dataclass(frozen=True)
class Page:
    """The outcome of a topic.

    Args:
        tables: Rows with equal keys under the title of each table.
        figure: A matplotlib figure.
    """

    tables: dict[str, list[Row]]
    figure: Any

    def text(self) -> str:
        """All tables as aligned columns."""
        return "\n\n".join(f"{title}\n{aligned(rows)}" for title, rows in self.tables.items())

    def save(self, path: Path) -> None:
        """Write the figure.

        Raises:
            NacreError: The path is no PNG or cannot be written.
        """
        from nacre.pictures import rendered

        if path.suffix.lower() != ".png":
            raise NacreError(f"the picture {path} must end in .png.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            rendered(self.figure).quantize(128).save(path, optimize=True)
        except OSError as error:
            raise NacreError(
                f"cannot write {error.filename or path}: {error.strerror}; choose another place."
            ) from error


def aligned(rows: list[Row]) -> str:
    """Rows as text, numbers to the right with four digits."""
    cells = [
        list(rows[0]),
        *([value if isinstance(value, str) else f"{value:.4g}" for value in r.values()] for r in rows),
    ]
    words = [isinstance(value, str) for value in rows[0].values()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(f"{c:<{w}}" if left else f"{c:>{w}}" for c, w, left in zip(line, widths, words, strict=True))
        for line in cells
    )
    return "\n".join(f"  {line.rstrip()}" for line in lines)


def new_figure(rows: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    """A matplotlib figure of 100 dots per unit of length with a grid of axes (rows, columns), without any display."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for each in axes.flat:
        each.tick_params(labelsize=8)
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread inside: networks as small as these lose by more."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
