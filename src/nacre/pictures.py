"""Pictures: grids of images, scatters of points, pages of strings."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nacre.data.spec import Spec
from nacre.data.strings import strings


def grid(x: Tensor, columns: int | None = None, gap: int = 1) -> np.ndarray:
    """Images side by side as one array of bytes, (height, width, 3 or 4).

    Args:
        x: Images in [0, 1] with 1, 3 or 4 channels, shape (n, c, h, w); other channel counts show their mean.
        columns: Images per row; by default the grid is square.
        gap: Pixels between images.
    """
    n, c, h, w = x.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    x = x.detach().cpu().float().clamp(0, 1)
    x = x if c in (3, 4) else x.mean(1, keepdim=True).expand(n, 3, h, w)
    canvas = torch.ones(x.shape[1], rows * (h + gap) - gap, columns * (w + gap) - gap)
    for i, image in enumerate(x):
        top, left = i // columns * (h + gap), i % columns * (w + gap)
        canvas[:, top : top + h, left : left + w] = image
    return (canvas * 255).round().byte().permute(1, 2, 0).numpy()


def save_grid(x: Tensor, path: str | Path, spec: Spec, columns: int | None = None) -> None:
    """Write examples as a picture: a grid of images, a scatter of points, a page of strings, or lines for vectors.

    Args:
        x: Examples, shape (n, *spec.shape).
        path: A PNG file; its folder is made.
        spec: What the examples are.
        columns: Images per row.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(x, spec, columns).save(path)


def picture(x: Tensor, spec: Spec, columns: int | None = None, among: Tensor | None = None) -> Any:
    """Examples as a PIL image: a grid of images, a scatter of points, a page of strings, or lines for other vectors.

    Args:
        x: Examples, shape (n, *spec.shape).
        spec: What the examples are.
        columns: Images per row.
        among: Vectors (m, d) whose range the axes have; by default those of x.
    """
    from PIL import Image

    if spec.kind == "image":
        sheet = Image.fromarray(grid(x, columns))
        zoom = max(1, 640 // max(sheet.size))
        return sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.Resampling.NEAREST)
    if spec.kind == "sequence":
        return page(strings(x, spec), columns or 4)
    figure, axes = new_figure()
    points = x.detach().cpu().numpy()
    ranged = points if among is None else among.detach().cpu().numpy()
    if spec.shape == (2,):
        axes.scatter(ranged[:, 0], ranged[:, 1], s=0)
        axes.scatter(points[:, 0], points[:, 1], s=4, alpha=0.6)
        axes.set_aspect("equal")
    else:
        axes.plot(points.T, color="tab:blue", alpha=0.3, linewidth=0.8)
        axes.set_xlabel("column")
        axes.update_datalim([(0, ranged.min()), (0, ranged.max())])
        axes.autoscale_view()
    return rendered(figure)


def page(lines: list[str], columns: int) -> Any:
    """Strings as a PIL image, row by row in so many columns of one width."""
    width = max(map(len, lines), default=0) + 2
    rows = ["".join(line.ljust(width) for line in lines[i : i + columns]) for i in range(0, len(lines), columns)]
    figure, axes = new_figure(0.2 + 0.085 * width * columns, 0.2 + 0.17 * len(rows))
    axes.axis("off")
    # Dollar signs are symbols like others, no mathematics.
    axes.text(0, 1, "\n".join(rows), family="monospace", fontsize=10, va="top", parse_math=False)
    return rendered(figure)


def rendered(figure: Any) -> Any:
    """A matplotlib figure as a PIL image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def new_figure(width: float = 4.0, height: float = 4.0) -> tuple[Any, Any]:
    """A matplotlib figure with one axes, independent of any display."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    return figure, figure.subplots()
