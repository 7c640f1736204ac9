"""What was reproduced so far: one line per seed in `results/NAME.jsonl`, appended and never rewritten."""

import json
import math
import os
from pathlib import Path
from typing import Any

from nacre.errors import NacreError, unknown
from nacre.reproduce.recipe import CHECKOUT, Recipe, Setting

Line = dict[str, Any]


def folder(recipe: Recipe) -> Path:
    """Where a recipe's results go: into the checkout for its own recipes, else into ./results."""
    return CHECKOUT / "results" if recipe.path.resolve().parent == CHECKOUT / "recipes" else Path("results")


def append(recipe: Recipe, line: Line) -> Path:
    """Add a line unless it is there already, and give the file.

    Raises:
        NacreError: The file cannot be written.
    """
    path = folder(recipe) / f"{recipe.name}.jsonl"
    if line in read(path):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as file:  # one write, so that no reader sees half a line
            file.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
            os.fsync(file.fileno())
    except OSError as error:
        raise NacreError(
            f"cannot write {path}: {error.strerror}; free some space, then repeat with --resume."
        ) from error
    return path


def read(path: Path) -> list[Line]:
    """The lines of a file, oldest first.

    Raises:
        NacreError: A line is damaged.
    """
    lines = []
    for number, text in enumerate(path.read_text().splitlines() if path.is_file() else [], 1):
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            raise NacreError(f"line {number} of {path} is damaged; delete it and repeat the seed.") from None
    return lines


def current(recipe: Recipe, setting: Setting, lines: list[Line]) -> list[Line]:
    """The newest line of every seed that was made with this very setting, beside other runs', worst first."""
    newest = [line for seed, line in _newest(setting, lines).items() if seed in setting.seeds]
    found = beside(recipe, setting, newest, lines)
    return sorted(
        found, key=lambda line: min((v["margin"] for v in verdicts(setting, line).values()), default=math.inf)
    )


def beside(recipe: Recipe, setting: Setting, chosen: list[Line], lines: list[Line]) -> list[Line]:
    """Chosen lines of a setting, each with the results of its tier's other runs for its seed under `beside`.

    Args:
        recipe: Whose runs these are.
        setting: What the chosen lines were made with.
        chosen: Some of its lines.
        lines: All lines of the recipe; of another run the newest with its present setting counts.
    """
    others = {each.run: _newest(each, lines) for each in recipe.settings(setting.tier) if each.run != setting.run}
    return [
        {
            **line,
            "beside": {run: found[line["seed"]]["results"] for run, found in others.items() if line["seed"] in found},
        }
        for line in chosen
    ]


def _newest(setting: Setting, lines: list[Line]) -> dict[int, Line]:
    return {
        line["seed"]: line
        for line in lines
        if (line["tier"], line["run"], line["digest"]) == (setting.tier, setting.run, setting.digest)
    }


def verdicts(setting: Setting, line: Line) -> dict[str, dict[str, Any]]:
    """Per expected result: its value (a ratio or difference where the bound is one), its margin, whether it is reached.

    A range relative to another run is left out while the line has no such run beside it.

    Raises:
        NacreError: The result or its reference was not measured.
    """
    found = {}
    for name, bound in setting.expect.items():
        value = _value(setting, line["results"], name)
        if bound.relative_to:
            references = line["results"][name]["references"]
            if bound.relative_to not in references:
                raise unknown(f"reference of {name}", bound.relative_to, list(references))
            value = _ratio(value, references[bound.relative_to])
        if bound.run:
            if bound.run not in line.get("beside", {}):
                continue
            other = _value(setting, line["beside"][bound.run], name)
            value = value - other if bound.minus_run else _ratio(value, other)
        margin = bound.margin(value)
        found[name] = {"value": value, "margin": margin, "reached": margin >= 0}
    return found


def _value(setting: Setting, results: dict[str, Any], name: str) -> float:
    if name not in results:
        raise unknown(f"result of {setting.recipe}", name, list(results))
    return results[name]["value"]


def _ratio(value: float, reference: float) -> float:
    return value / reference if reference else math.nan
