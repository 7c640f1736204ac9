"""RESULTS.md and the README's table: what the recipes expect, and what the files in `results/` say came out."""

import re
from pathlib import Path
from statistics import median_low

from nacre.engine.checkpoint import write_atomically
from nacre.errors import NacreError
from nacre.reproduce import ledger, recipe
from nacre.reproduce.ledger import Line
from nacre.reproduce.recipe import Bound, Recipe, Setting

BEGIN, END = "<!-- nacre reproduce --results -->", "<!-- end of reproductions -->"
HEAD = ["recipe", "tier", "result", "paper", "range", "ours, worst seed", "median", ""]
NOT_YET = "not yet run"


def write(root: Path = recipe.CHECKOUT) -> list[Path]:
    """Write RESULTS.md and the table between the README's markers, and give the files.

    Raises:
        NacreError: This is no checkout with such a README.
    """
    readme = root / "README.md"
    text = readme.read_text() if readme.is_file() else ""
    if BEGIN not in text or END not in text:
        raise NacreError(f"{readme} has no lines {BEGIN} and {END}; run this in a checkout of nacre.")
    recipes = [recipe.find(name) for name in recipe.names()]
    write_atomically(root / "RESULTS.md", results_page(recipes).encode())
    write_atomically(readme, with_table(text, recipes).encode())
    return [root / "RESULTS.md", readme]


def with_table(readme: str, recipes: list[Recipe]) -> str:
    """The README with its table made anew."""
    return re.sub(
        f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: f"{BEGIN}\n{measured(recipes)}{END}", readme, flags=re.DOTALL
    )


def table(recipes: list[Recipe]) -> str:
    """One row per recipe, tier, run and expected result."""
    return markdown(HEAD, [cells for each in recipes for cells in rows_of(each)])


def measured(recipes: list[Recipe]) -> str:
    """The rows of `table` that were run, and how many were not."""
    rows = [cells for each in recipes for cells in rows_of(each)]
    run = [cells for cells in rows if cells[-1] != NOT_YET]
    left = len(rows) - len(run)
    return markdown(HEAD, run) + (f"\n{left} further ranges, most of them nightly, are {NOT_YET}.\n" if left else "")


def rows_of(each: Recipe) -> list[list[str]]:
    """The table's rows of a recipe."""
    return [cells for setting in settings(each) for cells in summary(each, setting)]


def results_page(recipes: list[Recipe]) -> str:
    """RESULTS.md: every recipe with all its seeds."""
    parts = [
        "# Results\n\n"
        "`nacre reproduce --results` writes this page from the recipes and from `results/*.jsonl`, where every seed\n"
        "has a line. Seeds stand worst first; a range that was missed is shown as missed. How to read a recipe:\n"
        "[docs/reproduce.md](docs/reproduce.md). Seconds are those of training + evaluation; they and what\n"
        "has no range stand in the order of the seeds' numbers.\n"
    ]
    return "\n".join([*parts, *(section(each) for each in recipes)])


def settings(each: Recipe) -> list[Setting]:
    """All of a recipe's settings, tier by tier."""
    return [setting for tier in each.tiers.values() for setting in tier]


def summary(each: Recipe, setting: Setting) -> list[list[str]]:
    """The README's rows of a setting."""
    lines = lines_of(each, setting)
    start = [f"`{each.name}`{f' {setting.run}' if setting.run else ''}", setting.tier]
    rows = []
    for name, bound in setting.expect.items():
        values = ordered(setting, name, lines)
        worst = shown(values[0], bound) if values else "-"
        middle = shown(median_low(values), bound) if values else "-"
        rows.append([*start, name, paper(setting, name), str(bound), worst, middle, verdict(setting, name, lines)])
    return rows


def section(each: Recipe) -> str:
    """A recipe's part of RESULTS.md."""
    rows, below = [], []
    for setting in settings(each):
        lines = lines_of(each, setting)
        start = [" ".join(part for part in (setting.tier, setting.run) if part)]
        for name, bound in setting.expect.items():
            values = ordered(setting, name, lines)
            seeds = " · ".join(shown(value, bound) for value in values) or "-"
            middle = shown(median_low(values), bound) if values else "-"
            cells = [named(name, lines), paper(setting, name), str(bound), seeds, middle]
            rows.append([*start, *cells, verdict(setting, name, lines)])
        in_turn = sorted(lines, key=lambda line: line["seed"])
        below += [f"- {conditions(each, setting, in_turn)}", *(f"- {text}" for text in others(setting, in_turn))]
    sources = {
        f"- Paper's {name}: {value.value:g}{f', {value.protocol}' if value.protocol else ''}. {value.source}"
        for setting in settings(each)
        for name, value in setting.published.items()
    }
    protocols = {
        f"- Our {name}: {line['results'][name]['protocol']}"
        for setting in settings(each)
        for line in lines_of(each, setting)
        for name in setting.expect
    }
    head = ["tier", "result", "paper", "range", "ours, worst seed first", "median", ""]
    notes = f"{each.notes}\n\n" if each.notes else ""
    listed = "\n".join([*sorted(sources), *sorted(protocols), *below])
    return f"## {each.name}\n\n{each.title}. {each.paper}\n\n{notes}{markdown(head, rows)}\n{listed}\n"


def others(setting: Setting, lines: list[Line]) -> list[str]:
    """What was measured and has no range, line by line."""
    title = " ".join(part for part in (setting.tier, setting.run) if part)
    names = [name for name in (lines[0]["results"] if lines else ()) if name not in setting.expect]
    values = {name: " · ".join(f"{line['results'][name]['value']:.5g}" for line in lines) for name in names}
    return [f"{title}, also {named(name, lines)}: {text}" for name, text in values.items()]


def lines_of(each: Recipe, setting: Setting) -> list[Line]:
    """The current lines of a setting, worst seed first."""
    return ledger.current(each, setting, ledger.read(ledger.folder(each) / f"{each.name}.jsonl"))


def ordered(setting: Setting, name: str, lines: list[Line]) -> list[float]:
    """A result's values, or ratios or differences where the bound is one, worst first."""
    found = [found[name] for line in lines if name in (found := ledger.verdicts(setting, line))]
    return [verdict["value"] for verdict in sorted(found, key=lambda verdict: verdict["margin"])]


def verdict(setting: Setting, name: str, lines: list[Line]) -> str:
    """Whether every seed is in the range, in words."""
    if not lines:
        return NOT_YET
    judged = [(line["seed"], ledger.verdicts(setting, line)) for line in lines]
    found = [(seed, verdicts[name]) for seed, verdicts in judged if name in verdicts]
    if not found:
        return f"waits for {setting.expect[name].run} run"
    missed = sorted((verdict["margin"], seed) for seed, verdict in found if not verdict["reached"])
    if missed:
        return "**MISSED** by " + ", ".join(f"{-margin:.3g} (seed {seed})" for margin, seed in missed)
    done = "" if len(found) == len(setting.seeds) else f" by {len(found)} of {len(setting.seeds)} seeds"
    return f"reached{done}"


def conditions(each: Recipe, setting: Setting, lines: list[Line]) -> str:
    """What the results of a setting took, where and when, and the command that repeats them."""
    command = f"`nacre reproduce {each.name} --tier {setting.tier}`"
    title = " ".join(part for part in (setting.tier, setting.run) if part)
    budget = f" ({setting.budget})" if setting.budget else ""
    if not lines:
        return f"{title}{budget}: {NOT_YET}. {command}"
    took = " · ".join(spent(line) for line in lines)
    places = dict.fromkeys(place(line) for line in lines)
    return f"{title}{budget}: {took}; {'; '.join(places)}. {command}"


def spent(line: Line) -> str:
    """The seconds of a line: training, of which processor time if that is known, and evaluation."""
    seconds, others = line["seconds"], line["machine"]["others"]
    known = [f"CPU {seconds['training_cpu']:.0f} s"] if seconds["training_cpu"] is not None else []
    known += [f"others kept {others:.1f} cores busy"] if others is not None else []
    within = f" ({', '.join(known)})" if known else ""
    return f"{seconds['training']:.0f} s{within} + {seconds['evaluation']:.0f} s"


def place(line: Line) -> str:
    """The machine, the versions, the commit and the day of a line."""
    machine, versions = line["machine"], line["versions"]
    threads = f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}"
    precision = f", {machine['precision']}" if "precision" in machine else ""  # older lines do not say
    where = f"{threads} of {machine['processor']}, {machine['device']}{precision}"
    code = f"commit {line['commit']}{' with changes' if line['dirty'] else ''}, " if line["commit"] else ""
    return f"{where}, torch {versions['torch']}, {code}{line['date'][:10]}"


def named(name: str, lines: list[Line]) -> str:
    """A result's name with its unit."""
    unit = lines[0]["results"][name].get("unit", "") if lines else ""
    return f"{name} ({unit})" if unit else name


def paper(setting: Setting, name: str) -> str:
    """The paper's number, if there is one."""
    return f"{setting.published[name].value:g}" if name in setting.published else "-"


def shown(value: float, bound: Bound) -> str:
    """A value as the tables print it; a ratio is marked by an x, a difference by its sign."""
    return f"{value:+.5g}" if bound.minus_run else f"{value:.5g}{' x' if bound.ratio else ''}"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines).replace("|  |", "| |")
