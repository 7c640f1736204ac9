"""`nacre reproduce`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from nacre.errors import NacreError

if TYPE_CHECKING:
    from nacre.reproduce.ledger import Line
    from nacre.reproduce.recipe import Recipe, Setting


def run(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = "",
    *,
    tier: Literal["ci", "nightly", "gpu"] = "ci",
    runs: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
    out: Path = Path("runs/reproduce"),
    resume: bool = False,
    list: bool = False,
    results: bool = False,
) -> int:
    """Train and judge a paper's setting, and print the paper's numbers beside ours.

    Every seed becomes a run folder and a line of results/NAME.jsonl. The exit code is 0 only if every seed reaches
    its range, else 1.

    Args:
        name: A recipe's name, or the path of a recipe of your own.
        tier: The budget: ci takes minutes on two cores, nightly an hour, gpu ten minutes on one.
        runs: Only these runs of a recipe that has several.
        seeds: Other seeds than the recipe's.
        out: Run folders are made in NAME/TIER of this folder.
        resume: Go on with what was begun; finished seeds are not trained again.
        list: List the recipes and stop.
        results: Write RESULTS.md and the README's table from results/*.jsonl and stop.
    """
    from nacre.reproduce import recipe

    if list:
        print_recipes([recipe.find(each) for each in recipe.names()])
        return 0
    if results:
        from nacre.reproduce.pages import write

        for path in write():
            print(path)
        return 0
    if not name:
        raise NacreError("name a recipe: nacre reproduce NAME; `nacre reproduce --list` lists them.")
    chosen = recipe.find(name)
    return reproduce(chosen, chosen.settings(tier, runs), seeds, out / chosen.name / tier, resume)


def reproduce(
    chosen: Recipe, settings: tuple[Setting, ...], seeds: tuple[int, ...], out: Path, resume: bool = False
) -> int:
    """Run every seed of these settings, print the table, and give the exit code."""
    from nacre.reproduce import ledger
    from nacre.reproduce.trial import check, run_seed

    for setting in settings:
        try:
            check(setting)
        except NacreError as error:
            raise NacreError(f"{chosen.path}: {error}") from None
    found: list[tuple[Setting, list[Line]]] = []
    for setting in settings:
        lines = []
        for seed in seeds or setting.seeds:
            folder = out / "-".join(part for part in (setting.run, f"seed-{seed}") if part)
            lines.append(run_seed(setting, seed, folder, resume))
            ledger.append(chosen, lines[-1])
        found.append((setting, lines))
    kept = ledger.read(ledger.folder(chosen) / f"{chosen.name}.jsonl")
    found = [(setting, ledger.beside(chosen, setting, lines, kept)) for setting, lines in found]
    print_comparison(chosen, found)
    judged = [(setting, ledger.verdicts(setting, line)) for setting, lines in found for line in lines]
    reached = [
        name in verdicts and verdicts[name]["reached"] for setting, verdicts in judged for name in setting.expect
    ]
    return 0 if all(reached) else 1


def print_recipes(recipes: list[Recipe]) -> None:
    """One line per recipe: its name, its tiers and what it is."""
    width = max((len(each.name) for each in recipes), default=0)
    tiers = max((len(" ".join(each.tiers)) for each in recipes), default=0)
    for each in recipes:
        print(f"{each.name:<{width}}  {' '.join(each.tiers):<{tiers}}  {each.title}")


def print_comparison(chosen: Recipe, found: list[tuple[Setting, list[Line]]]) -> None:
    """Paper and ours side by side: every seed of every expected result, worst first."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from nacre.reproduce.ledger import verdicts
    from nacre.reproduce.pages import paper, shown

    console = Console()
    console.print(f"{chosen.title}. {chosen.paper}", highlight=False, markup=False, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("result", "paper", "range", "ours", "seed", "", "seconds"):
        table.add_column(column, no_wrap=column != "range")
    waiting = {"value": math.nan, "margin": math.inf, "reached": False}
    for setting, lines in found:
        for name, bound in setting.expect.items():
            judged = [(verdicts(setting, line).get(name, waiting), line) for line in lines]
            rows = sorted(judged, key=lambda row: row[0]["margin"])
            title = f"{setting.run} {name}".strip()
            for i, (verdict, line) in enumerate(rows):
                first = [title, paper(setting, name), str(bound)] if i == 0 else ["", "", ""]
                answer = "reached" if verdict["reached"] else f"MISSED by {-verdict['margin']:.3g}"
                answer = f"waits for {bound.run} run" if verdict is waiting else answer
                seconds = f"{line['seconds']['training']:.0f} + {line['seconds']['evaluation']:.0f}"
                table.add_row(*first, shown(verdict["value"], bound), str(line["seed"]), answer, seconds)
    console.print(table)
    sources = {f"paper's {name}: {p.protocol}{'. ' if p.protocol else ''}{p.source}": None
               for setting, _ in found for name, p in setting.published.items()}  # fmt: skip
    for text in sources:
        console.print(text, style="dim", highlight=False, markup=False, soft_wrap=True)
