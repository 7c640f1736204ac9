"""Pictures: grids of images, scatters of points, histograms of tables, pages of strings."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nacre.data.spec import Spec
from nacre.data.strings import strings

MOST_PLOTS, MOST_BARS, BINS = 36, 8, 40


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
    """Write examples as a picture: a grid of images, a scatter of points, a page of strings, or plots of vectors.

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
    """Examples as a PIL image: a grid of images, a scatter of points, a page of strings, histograms or lines.

    Vectors of more than two values have a histogram for each of their columns if these have names or are at most 36,
    else every one is a line.

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
    if spec.size > 2 and (spec.columns or spec.size <= MOST_PLOTS):
        return rendered(histograms(x, spec, among))
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


def histograms(x: Tensor, spec: Spec, among: Tensor | None = None) -> Any:
    """A matplotlib figure with a histogram of each of the first 36 columns, of categories the most frequent eight.

    Args:
        x: Vectors (n, d), NaN where a value is missing.
        spec: What they are.
        among: Vectors (m, d) whose range the axes have, and whose most frequent categories; by default those of x.
    """
    points = x.detach().cpu().flatten(1).numpy()
    ranged = points if among is None else among.detach().cpu().flatten(1).numpy()
    shown = min(spec.size, MOST_PLOTS)
    across = math.ceil(math.sqrt(shown))
    beside = 0.8 if any(spec.categories) else 0.4
    figure, cells = new_figure(2.6 * across, 2.0 * math.ceil(shown / across), shown, beside=beside)
    for j, axes in enumerate(cells):
        values, reference = (part[:, j][~np.isnan(part[:, j])] for part in (points, ranged))
        names = spec.categories[j] if spec.categories else ()
        if names:
            counts, of_all = (np.bincount(part.astype(int), minlength=len(names)) for part in (values, reference))
            most = of_all.argsort(kind="stable")[-MOST_BARS:]
            axes.barh(range(len(most)), counts[most])
            axes.set_yticks(range(len(most)), [plain(names[i])[:18] for i in most])
        elif len(reference):
            axes.stairs(*np.histogram(values, BINS, (reference.min(), reference.max())), fill=True)
            axes.locator_params(nbins=4)
        axes.set_title(plain(spec.names[j]), fontsize=9)
        axes.tick_params(labelsize=7)
        axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 5))
    return figure


def save_pairs(x: Tensor, y: Tensor, path: str | Path, spec: Spec, columns: int) -> None:
    """Write a picture of pairs: images side by side, of vectors the one's values against the other's, by column.

    Args:
        x: The first of each pair, across in plots: shape (n, *spec.shape).
        y: The second, likewise, upwards.
        path: A PNG file; its folder is made.
        spec: What they are.
        columns: Images per row, an even number.
    """
    if spec.kind != "vector":
        save_grid(torch.stack([x, y], 1).flatten(0, 1), path, spec, columns)
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    first, second = (part.detach().cpu().flatten(1).numpy() for part in (x, y))
    shown = min(spec.size, MOST_PLOTS)
    side = math.ceil(math.sqrt(shown))
    figure, cells = new_figure(2.4 * side, 2.2 * math.ceil(shown / side), shown, beside=0.4)
    for j, axes in enumerate(cells):
        known = ~np.isnan(first[:, j]) & ~np.isnan(second[:, j])
        across, up = first[known, j], second[known, j]
        if spec.categories and spec.categories[j]:
            places, counts = np.unique(np.stack([across, up]), axis=1, return_counts=True)
            axes.scatter(*places, s=120 * counts / counts.max(), alpha=0.7)
        else:
            axes.scatter(across, up, s=6, alpha=0.6)
            middle = (float(across.mean()),) * 2 if len(across) else (0.0, 0.0)
            axes.axline(middle, slope=1, color="grey", linewidth=0.6)
        axes.locator_params(nbins=4)
        axes.set_title(plain(spec.names[j]), fontsize=9)
        axes.tick_params(labelsize=7)
    rendered(figure).save(path)


def walks_picture(walks: Tensor, spec: Spec, titles: Sequence[str] = ()) -> Any:
    """Walks of vectors as a PIL image: a map of steps and (the first 36) columns for each.

    A number's colour is its distance from the data's mean in standard deviations, that of a category its number's.

    Args:
        walks: Shape (walks, steps, d).
        spec: What the vectors are.
        titles: Of the walks; by default they are counted.
    """
    maps = _in_deviations(walks, spec).transpose(1, 2)
    names = [plain(name) for name in spec.names[:MOST_PLOTS]]
    return _maps(maps, titles or [f"walk {i}" for i in range(len(maps))], names, min(3, len(maps)))


def plane_picture(plane: Tensor, spec: Spec) -> Any:
    """A plane of vectors as a PIL image: a map for each of the first 36 columns, in the colours of `walks_picture`.

    Args:
        plane: Shape (height, width, d).
        spec: What the vectors are.
    """
    maps = _in_deviations(plane, spec).permute(2, 0, 1)
    return _maps(maps, spec.names, [], math.ceil(math.sqrt(len(maps))))


def _in_deviations(values: Tensor, spec: Spec) -> Tensor:
    """The first 36 columns of vectors (..., d), each in its standard deviations from its mean."""
    center, scale = (torch.tensor(part).expand(spec.size) for part in (spec.center, spec.scale))
    return ((values.detach().cpu().flatten(2) - center) / scale)[..., :MOST_PLOTS]


def _maps(maps: Tensor, titles: Sequence[str], names: list[str], across: int) -> Any:
    """Maps (k, h, w) side by side with their titles, the first of each row with names of its h lines."""
    tall = max(1.6, 0.5 + 0.17 * len(names))
    figure, cells = new_figure(1.6 + 2.2 * across, tall * math.ceil(len(maps) / across), len(maps), across)
    drawn, most = None, float(maps.abs().max().clamp(0.5, 3))
    for number, (axes, values, title) in enumerate(zip(cells, maps.numpy(), titles, strict=False)):
        drawn = axes.imshow(values, aspect="auto", cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
        axes.set_yticks(range(len(names)), names if number % across == 0 else [""] * len(names), fontsize=7)
        axes.set_xticks([])
        axes.set_title(plain(title), fontsize=8)
    figure.colorbar(drawn, ax=cells, shrink=0.6).set_label("standard deviations from the mean", fontsize=7)
    return rendered(figure)


def plain(text: str) -> str:
    """A text that matplotlib does not read as mathematics."""
    return text.replace("$", r"\$")


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


def new_figure(
    width: float = 4.0, height: float = 4.0, cells: int = 0, across: int = 0, beside: float | None = None
) -> tuple[Any, Any]:
    """A matplotlib figure, independent of any display, with one axes, or with a list of so many.

    Args:
        width: In hundreds of pixels.
        height: Likewise.
        cells: How many axes; 0 for a single one.
        across: How many stand in a row; by default the figure is about square.
        beside: Leave this share of an axes' width to its left, instead of fitting all labels, which takes far longer.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained" if beside is None else None)
    if not cells:
        return figure, figure.subplots()
    across = across or math.ceil(math.sqrt(cells))
    down = math.ceil(cells / across)
    every = list(figure.subplots(down, across, squeeze=False).flat)
    if beside is not None:
        left, gap = beside / (across * (1 + beside)), 0.65  # of the width; in hundreds of pixels
        edges = {"left": left, "right": 1 - 0.15 / width, "top": 1 - 0.3 / height, "bottom": 0.35 / height}
        figure.subplots_adjust(**edges, wspace=beside, hspace=gap / (height / down - gap))
    for axes in every[cells:]:
        axes.axis("off")
    return figure, every[:cells]
