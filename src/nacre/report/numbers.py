"""The metrics on the page: a table under each heading, with every value's interval drawn on one axis."""

from collections.abc import Iterable, Sequence
from html import escape

from nacre.metrics.result import Result
from nacre.report.charts import Whisker, whiskers
from nacre.report.entry import Entry
from nacre.report.meanings import grouped, place
from nacre.report.verdict import Verdict, verdicts

ARROWS = {"lower": "↓", "higher": "↑", "": ""}


def numbers(every: Sequence[Entry]) -> str:
    """Under each heading the metrics down and the runs across; below all the protocols and the warnings."""
    said = verdicts({entry.label: entry.results for entry in every})
    if not said:
        return ""
    heads = "".join(
        f'<th scope="col"><i class="dot{entry.color % 8}"></i>{escape(entry.label)}</th>' for entry in every
    )
    parts = [warnings(every)]
    for heading, names in grouped(list(said)).items():
        rows = "".join(row(name, every, said[name]) for name in names)
        parts.append(
            f'<h3 class="heading">{escape(heading)}</h3><div class="scroll"><table><thead><tr><td></td>{heads}'
            f'<th scope="col" class="plot">95 % intervals</th></tr></thead><tbody>{rows}</tbody></table></div>'
        )
    return "".join(parts) + protocols(every, list(said))


def row(name: str, every: Sequence[Entry], said: Verdict) -> str:
    """One metric: what it means, its values, its intervals, and whether they differ."""
    found = {entry.label: entry.results[name] for entry in every if name in entry.results}
    some = next(iter(found.values()))
    unit = f"<small>{escape(some.unit)}</small>" if some.unit else ""
    meaning = place(name)[1]
    sentence = f'<small class="meaning">{escape(meaning)}</small>' if meaning else ""
    cells = "".join(cell(found.get(entry.label), entry.label in said.best and not said.tied) for entry in every)
    drawn = [
        Whisker(e.label, e.color, found[e.label].value, found[e.label].interval) for e in every if e.label in found
    ]
    marks = references(found.values())
    legend = " · ".join(f"{escape(mark)} {value:.4g}" for mark, value in sorted(marks.items(), key=lambda m: m[1]))
    legend = f'<small><i class="dash"></i>{legend}</small>' if legend else ""
    words = f'<small class="verdict">{escape(said.text)}</small>' if said.text else ""
    title = f"{escape(name.replace('_', ' '))} {ARROWS[some.better]}"
    return (
        f'<tr><th scope="row">{title}{unit}{sentence}</th>{cells}<td class="plot">{whiskers(drawn, marks, name)}'
        f"{legend}{words}</td></tr>"
    )


def cell(result: Result | None, best: bool) -> str:
    """One value; a dash where the model was not judged so."""
    if result is None:
        return '<td class="none">-</td>'
    value, _, error = str(result).partition(" ± ")
    text = f"<b>{escape(value)}</b>" if best else escape(value)
    return f"<td>{text}{f'<small>± {escape(error)}</small>' if error else ''}</td>"


def references(results: Iterable[Result]) -> dict[str, float]:
    """What the values are to be held against, where all runs agree on it."""
    found: dict[str, set[float]] = {}
    for result in results:
        for mark, value in result.references.items():
            found.setdefault(mark, set()).add(value)
    return {mark: next(iter(values)) for mark, values in found.items() if len(values) == 1}


def protocols(every: Sequence[Entry], names: Sequence[str]) -> str:
    """How each metric was measured, once where all runs were measured alike."""
    rows = []
    for name in names:
        lines = dict.fromkeys(str(entry.results[name].protocol) for entry in every if name in entry.results)
        rows += [f"<dt>{escape(name.replace('_', ' '))}</dt>", *(f"<dd>{escape(line)}</dd>" for line in lines)]
    return f"<details><summary>How each was measured</summary><dl>{''.join(rows)}</dl></details>"


def warnings(every: Sequence[Entry]) -> str:
    """Where numbers may mislead, each warning with the runs it is about."""
    about: dict[str, list[str]] = {}
    for entry in every:
        for warning in dict.fromkeys(w for result in entry.results.values() for w in result.warnings):
            about.setdefault(warning, []).append(entry.label)
    whose = {warning: "" if len(who) == len(every) else f"{', '.join(who)}: " for warning, who in about.items()}
    rows = "".join(f"<li><b>{escape(who)}</b>{escape(warning)}</li>" for warning, who in whose.items())
    return f'<ul class="warnings">{rows}</ul>' if rows else ""
