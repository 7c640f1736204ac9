"""What was reproduced so far: one line per seed in `results/NAME.jsonl`, appended and never rewritten."""

import json
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


def current(setting: Setting, lines: list[Line]) -> list[Line]:
    """The newest line of every seed that was made with this very setting, worst first."""
    newest = {
        line["seed"]: line
        for line in lines
        if (line["tier"], line["run"], line["digest"]) == (setting.tier, setting.run, setting.digest)
        and line["seed"] in setting.seeds
    }
    return sorted(newest.values(), key=lambda line: min(v["margin"] for v in verdicts(setting, line).values()))


def verdicts(setting: Setting, line: Line) -> dict[str, dict[str, Any]]:
    """Per expected result: its value (a ratio where the bound is one), its margin and whether it is reached.

    Raises:
        NacreError: The result or its reference was not measured.
    """
    found = {}
    for name, bound in setting.expect.items():
        if name not in line["results"]:
            raise unknown(f"result of {setting.recipe}", name, list(line["results"]))
        result = line["results"][name]
        value = result["value"]
        if bound.relative_to:
            if bound.relative_to not in result["references"]:
                raise unknown(f"reference of {name}", bound.relative_to, list(result["references"]))
            value /= result["references"][bound.relative_to]
        margin = bound.margin(value)
        found[name] = {"value": value, "margin": margin, "reached": margin >= 0}
    return found
