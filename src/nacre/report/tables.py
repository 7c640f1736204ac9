"""The numbers on the page: the table of metrics with its protocols, the curves of training, a card per run."""

from collections.abc import Sequence
from html import escape

from nacre.metrics.result import Result
from nacre.report.charts import Line, lines
from nacre.report.entry import Entry

ARROWS = {"lower": "↓", "higher": "↑", "": ""}


def metric_names(every: Sequence[Entry]) -> list[str]:
    """The metrics that any run was judged by, in order."""
    return list(dict.fromkeys(name for entry in every for name in entry.results))


def table(every: Sequence[Entry]) -> str:
    """Metrics down, models across, and below the protocol of each."""
    names = metric_names(every)
    if not names:
        return ""
    heads = "".join(
        f'<th scope="col"><i class="dot{entry.color % 8}"></i>{escape(entry.label)}</th>' for entry in every
    )
    rows, protocols = [], []
    for name in names:
        found = {entry.label: entry.results[name] for entry in every if name in entry.results}
        some = next(iter(found.values()))
        winners = best(list(found.values()))
        cells = "".join(cell(found.get(entry.label), winners) for entry in every)
        title = f"{escape(name.replace('_', ' '))} {ARROWS[some.better]}"
        rows.append(
            f'<tr><th scope="row">{title}<small>{escape(some.unit)}</small></th>{cells}<td class="reference">'
            f"{reference(some)}</td></tr>"
        )
        lines_ = dict.fromkeys(str(result.protocol) for result in found.values())
        protocols += [f"<dt>{escape(name.replace('_', ' '))}</dt>"]
        protocols += [f"<dd>{escape(line)}</dd>" for line in lines_]
    body = "".join(rows)
    return (
        f'<div class="scroll"><table><thead><tr><td></td>{heads}'
        f'<th scope="col" class="reference">for comparison</th></tr></thead><tbody>{body}</tbody></table></div>'
        f"<details open><summary>How each was measured</summary><dl>{''.join(protocols)}</dl></details>"
    )


def cell(result: Result | None, winners: Sequence[Result]) -> str:
    """One value; a dash where the model cannot be judged so."""
    if result is None:
        return '<td class="none">-</td>'
    value, _, error = str(result).partition(" ± ")
    text = f"<b>{escape(value)}</b>" if any(result is winner for winner in winners) else escape(value)
    return f"<td>{text}{f'<small>± {escape(error)}</small>' if error else ''}</td>"


def reference(result: Result) -> str:
    """What the value is to be held against: the same for every model."""
    return "".join(f"{value:.4g}<small>{escape(name)}</small>" for name, value in result.references.items())


def best(results: Sequence[Result]) -> list[Result]:
    """The best of one metric's results, if at least two have one protocol and all have; ties all count."""
    if len(results) < 2 or not results[0].better or len({result.protocol for result in results}) > 1:
        return []
    values = [result.value for result in results]
    top = min(values) if results[0].better == "lower" else max(values)
    return [result for result in results if result.value == top]


def training(every: Sequence[Entry]) -> str:
    """A small chart of every model's losses, then one of every metric that was logged during training."""
    charts = []
    for entry in every:
        records = [record for record in entry.log if "losses" in record]
        terms = dict.fromkeys(name for record in records for name in record["losses"])
        curves = [
            Line(
                term,
                entry.color + 3 * i,
                *zip(*[(r["step"], r["losses"][term]) for r in records if term in r["losses"]], strict=True),
            )
            for i, term in enumerate(terms)
        ]
        charts += [lines(curves, f"{entry.label}: losses")] if curves else []
    logged = {entry.label: [record for record in entry.log if "metrics" in record] for entry in every}
    names = dict.fromkeys(name for records in logged.values() for record in records for name in record["metrics"])
    for name in names:
        curves = []
        for entry in every:
            points = [(r["step"], r["metrics"][name]) for r in logged[entry.label] if name in r["metrics"]]
            curves += [Line(entry.label, entry.color, *zip(*points, strict=True))] if points else []
        charts.append(lines(curves, name.replace("_", " ")))
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def cards(every: Sequence[Entry]) -> str:
    """What each run is, what it cost, and how to repeat it."""
    return "".join(card(entry) for entry in every)


def card(entry: Entry) -> str:
    """One run."""
    config, model = entry.run.config, type(entry.model)
    seconds = max((record["seconds"] for record in entry.log if "seconds" in record), default=0.0)
    steps = max((record["step"] for record in entry.log), default=0)
    facts = {
        "parameters": f"{sum(p.numel() for p in entry.model.parameters()):,}",
        "steps": f"{steps:,} of {config['training']['batch_size']} examples",
        "time": duration(seconds),
        "density": model.density,
        "seed": str(config["seed"]),
    }
    rows = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())
    return (
        f'<article><h3><i class="dot{entry.color % 8}"></i>{escape(entry.label)}</h3>'
        f'<p class="note">{escape(model.title)} · {escape(model.paper)}</p><dl class="facts">{rows}</dl>'
        f"<pre><code>{escape(entry.run.command())}</code></pre></article>"
    )


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 6_000 else f"{seconds / 3_600:.3g} h"
