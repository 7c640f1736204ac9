"""Small charts as SVG: lines over steps, points in the plane. Their colours are the page's own variables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 20, 10, 26
FARTHEST = 25


@dataclass(frozen=True)
class Line:
    """One curve.

    Args:
        label: Named in the legend.
        color: The number of a colour, 0 or more.
        x: Positions, such as steps.
        y: Values, as many.
    """

    label: str
    color: int
    x: Sequence[float]
    y: Sequence[float]


def lines(curves: Sequence[Line], title: str) -> str:
    """A chart of curves with a title and a legend, as HTML.

    The first tenth of a curve may leave the frame, so that the fall from the first steps does not flatten the rest.
    """
    curves = [curve for curve in curves if len(curve.x)]
    late = [y for curve in curves for y in curve.y[len(curve.y) // 10 :]]
    low, high = limits(late)
    right = max((x for curve in curves for x in curve.x), default=1)

    def place(x: float, y: float) -> str:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / max(right, 1)
        return f"{across:.1f},{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - low) / (high - low):.1f}"

    drawn = [
        f'<polyline class="stroke{curve.color % 8}" points="'
        f'{" ".join(place(x, y) for x, y in thinned(curve))}"/>'
        + (f'<circle class="fill{curve.color % 8}" r="2.5" transform="translate({place(curve.x[0], curve.y[0])})"/>'
           if len(curve.x) == 1 else "")
        for curve in curves
    ]  # fmt: skip
    axes = []
    for value in ticks(low, high):
        height = place(0, value).split(",")[1]
        axes.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height}" y2="{height}"/>')
        axes.append(f'<text x="{LEFT - 6}" y="{height}" dy="0.32em" text-anchor="end">{short(value)}</text>')
    for value in ticks(0, right, 4):
        across = place(value, low).split(",")[0]
        axes.append(f'<text x="{across}" y="{HEIGHT - 8}" text-anchor="middle">{short(value)}</text>')
    legend = "".join(f'<span><i class="dot{curve.color % 8}"></i>{escape(curve.label)}</span>' for curve in curves)
    frame = f'x="{LEFT}" y="{TOP - 4}" width="{WIDTH - LEFT - RIGHT + 4}" height="{HEIGHT - TOP - BOTTOM + 8}"'
    inside = f'<svg {frame} viewBox="{frame_box()}">{"".join(drawn)}</svg>'
    return (
        f'<figure class="chart"><figcaption>{escape(title)}</figcaption><div class="legend">{legend}</div>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(axes)}{inside}</svg>'
        f"</figure>"
    )


@dataclass(frozen=True)
class Whisker:
    """One value with its interval.

    Args:
        label: Whose it is.
        color: The number of a colour, 0 or more.
        value: The value.
        interval: Where it may lie, if that is known.
    """

    label: str
    color: int
    value: float
    interval: tuple[float, float] | None = None


def whiskers(rows: Sequence[Whisker], marks: Mapping[str, float], title: str) -> str:
    """Values one below the other on one axis with their intervals, and dashed lines at values to hold them against.

    A mark that is so far away that it would press the values together is left to the legend.

    Args:
        rows: The values; those that are not finite are left out.
        marks: Other values by name.
        title: What is drawn, for those who do not see it.
    """
    rows = [row for row in rows if math.isfinite(row.value)]
    ends = [end for row in rows for end in (row.value, *(row.interval or ())) if math.isfinite(end)]
    if not ends:
        return ""
    span = max(ends) - min(ends)
    near = [m for m in marks.values() if math.isfinite(m)]
    if span:
        near = [m for m in near if max(*ends, m) - min(*ends, m) < FARTHEST * span]
    low, high = limits([*ends, *near])
    height = 16 * len(rows) + 26

    def across(value: float) -> str:
        return f"{8 + 284 * (value - low) / (high - low):.1f}"

    drawn = [f'<line class="rule" x1="8" x2="292" y1="{height - 18}" y2="{height - 18}"/>']
    drawn += [
        f'<text x="{across(value)}" y="{height - 4}" text-anchor="middle">{short(value)}</text>'
        for value in ticks(low, high, 4)
    ]
    drawn += [f'<line class="mark" x1="{across(m)}" x2="{across(m)}" y1="0" y2="{height - 18}"/>' for m in near]
    for i, row in enumerate(rows):
        y, color = 12 + 16 * i, row.color % 8
        if row.interval is not None:
            left, right = across(row.interval[0]), across(row.interval[1])
            drawn.append(f'<path class="stroke{color}" d="M{left} {y}H{right}M{left} {y - 4}v8M{right} {y - 4}v8"/>')
        drawn.append(
            f'<circle class="fill{color}" cx="{across(row.value)}" cy="{y}" r="4"><title>{escape(row.label)}</title>'
            f"</circle>"
        )
    return (
        f'<svg class="whiskers" viewBox="0 0 300 {height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(drawn)}</svg>"
    )


def frame_box() -> str:
    """The part of the chart's plane in which curves are visible."""
    return f"{LEFT} {TOP - 4} {WIDTH - LEFT - RIGHT + 4} {HEIGHT - TOP - BOTTOM + 8}"


def scatter(
    points: Sequence[Sequence[float]], color: int, x_limits: tuple[float, float], y_limits: tuple[float, float]
) -> str:
    """Points in the plane as an SVG, with the same unit across and up.

    Args:
        points: Pairs.
        color: The number of a colour, 0 or more.
        x_limits: The visible range across.
        y_limits: The visible range up.
    """
    scale = 300 / max(x_limits[1] - x_limits[0], y_limits[1] - y_limits[0])
    middle = sum(x_limits) / 2, sum(y_limits) / 2
    path = "".join(f"M{150 + (x - middle[0]) * scale:.1f} {150 - (y - middle[1]) * scale:.1f}h0" for x, y in points)
    return (
        f'<svg class="plane" viewBox="0 0 300 300" role="img"><path class="points stroke{color % 8}" d="{path}"/></svg>'
    )


def profiles(rows: Sequence[Sequence[float]], color: int, low: float, high: float) -> str:
    """Longer vectors as lines over their columns, as an SVG.

    Args:
        rows: One vector each.
        color: The number of a colour, 0 or more.
        low: The least visible value.
        high: The greatest visible value.
    """
    across = 300 / max(1, len(rows[0]) - 1)
    up = 300 / (high - low)
    paths = [
        " ".join(f"{i * across:.1f},{300 - up * (value - low):.1f}" for i, value in enumerate(row)) for row in rows
    ]
    drawn = "".join(f'<polyline points="{path}"/>' for path in paths)
    return (
        f'<svg class="plane" viewBox="0 0 300 300" role="img"><g class="profiles stroke{color % 8}">{drawn}</g></svg>'
    )


def thinned(curve: Line, most: int = 400) -> list[tuple[float, float]]:
    """At most about `most` points of a curve, each the mean of its neighbours."""
    size = max(1, math.ceil(len(curve.x) / most))
    groups = [(curve.x[i : i + size], curve.y[i : i + size]) for i in range(0, len(curve.x), size)]
    return [(sum(x) / len(x), sum(y) / len(y)) for x, y in groups]


def limits(values: Sequence[float]) -> tuple[float, float]:
    """A range that holds the values, with some room."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between two: multiples of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def short(value: float) -> str:
    """A number for an axis: 20000 is 20k."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M"
    return f"{value / 1e3:.3g}k" if abs(value) >= 1e4 else f"{value:.4g}"
