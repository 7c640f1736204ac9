"""The story of each run on the page: the curves of training, and a card with what it cost and how to repeat it."""

from collections.abc import Sequence
from html import escape

from nacre.engine.doctor import alarms
from nacre.report.charts import Line, lines
from nacre.report.entry import Entry


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
    drawn = f'<div class="charts">{"".join(charts)}</div>' if charts else ""
    return drawn + doctor(every)


def doctor(every: Sequence[Entry]) -> str:
    """What the training doctor saw in each run, since when, and what usually helps; nothing without an alarm."""
    found = [(entry.label, alarm) for entry in every for alarm in alarms(entry.log)]
    rows = "".join(
        f"<dt>{escape(label)}: {escape(alarm.name)} from step {alarm.since:,}"
        f"{f' to {alarm.over:,}' if alarm.over else ''}</dt>"
        f"<dd>{escape(alarm.seen)}. What usually helps: {escape(alarm.advice)}.</dd>"
        for label, alarm in found
    )
    return f"<h3>Doctor</h3><dl>{rows}</dl>" if rows else ""


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
    if "best" in config:
        facts["weights"] = f"of step {config['best']['step']:,}, the best by {config['best']['metric']}"
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
