"""Recipes: a paper's setting in `recipes/NAME.toml`, with the range that our result must fall in."""

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nacre.errors import NacreError, unknown

CHECKOUT = Path(__file__).resolve().parents[3]
TIERS = ("ci", "nightly", "gpu")
PARTS = {"data": str, "budget": str, "seeds": list}
TABLES = ("data_options", "model", "training", "evaluation", "expect", "published")


@dataclass(frozen=True)
class Bound:
    """The range that a result must fall in.

    Args:
        min: The least value, if there is one.
        max: The greatest value, if there is one.
        relative_to: The name of one of the result's references; the range is then that of value / reference.
        relative_to_run: Another run of the recipe; the range is then that of value / that run's value, seed by seed.
        minus_run: Another run of the recipe; the range is then that of value - that run's value, seed by seed.
    """

    min: float | None = None
    max: float | None = None
    relative_to: str = ""
    relative_to_run: str = ""
    minus_run: str = ""

    @property
    def run(self) -> str:
        """The run that it is compared with, if there is one."""
        return self.relative_to_run or self.minus_run

    @property
    def ratio(self) -> bool:
        """Whether the range is one of ratios."""
        return bool(self.relative_to or self.relative_to_run)

    def margin(self, value: float) -> float:
        """How far inside the range a value lies; negative outside, and minus infinity if it is no number."""
        if math.isnan(value):
            return -math.inf
        low = value - self.min if self.min is not None else math.inf
        high = self.max - value if self.max is not None else math.inf
        return min(low, high)

    def __str__(self) -> str:
        low = f"≥ {self.min:g}" if self.min is not None else ""
        high = f"≤ {self.max:g}" if self.max is not None else ""
        unit = f" x {self.relative_to or f'{self.relative_to_run} run'}" if self.ratio else ""
        above = f" above {self.minus_run} run" if self.minus_run else ""
        return " and ".join(part for part in (low, high) if part) + unit + above


@dataclass(frozen=True)
class Published:
    """The paper's number for a result.

    Args:
        value: The number, in our sign and unit.
        source: Where it is printed.
        protocol: How it was measured there.
    """

    value: float
    source: str
    protocol: str = ""


@dataclass(frozen=True)
class Setting:
    """One thing to train: a recipe's run in one tier.

    Args:
        recipe: The recipe's name.
        tier: One of `TIERS`.
        run: The variant's name; empty where there is only one.
        data: What `load_data` takes.
        data_options: Its keywords.
        model: The model's name, under `name`, and its hyper-parameters.
        training: Training options.
        evaluation: The metrics, under `metrics`, and further options of `nacre.evaluate`.
        expect: Ranges by result.
        published: The paper's numbers by result.
        seeds: The seeds to run.
        budget: What the tier may take, in words.
    """

    recipe: str
    tier: str
    run: str = ""
    data: str = ""
    data_options: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    expect: dict[str, Bound] = field(default_factory=dict)
    published: dict[str, Published] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    budget: str = ""

    @property
    def digest(self) -> str:
        """12 hexadecimal digits of all that decides the values, so that a result of an older setting is told apart."""
        content: list[Any] = [self.data, self.model, self.training, self.evaluation]
        if self.data_options:  # added later: the digests of recipes without them stay what they were
            content.append(self.data_options)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Recipe:
    """A paper's setting.

    Args:
        name: The file's.
        path: The file.
        title: What it is.
        paper: Whose setting it is.
        notes: What a reader of the numbers should know, such as departures from the paper.
        tiers: The settings of every tier.
    """

    name: str
    path: Path
    title: str
    paper: str
    notes: str
    tiers: dict[str, tuple[Setting, ...]]

    def settings(self, tier: str, runs: tuple[str, ...] = ()) -> tuple[Setting, ...]:
        """The runs of a tier, all or those named.

        Raises:
            NacreError: There is no such tier or run.
        """
        if tier not in self.tiers:
            raise NacreError(f"{self.name} has no tier {tier!r}; it has {', '.join(self.tiers)}.")
        known = {setting.run: setting for setting in self.tiers[tier]}
        for run in runs:
            if run not in known:
                raise unknown(f"run of {self.name}", run, [name for name in known if name])
        return tuple(known[run] for run in runs) if runs else self.tiers[tier]


def folder() -> Path:
    """Where the recipes are: at the top of a checkout, inside an installed package."""
    inside = Path(__file__).resolve().parents[1] / "recipes"
    return inside if inside.is_dir() else CHECKOUT / "recipes"


def names() -> list[str]:
    """The names of all recipes."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def find(name: str) -> Recipe:
    """A recipe by name, or a user's own by its path.

    Raises:
        NacreError: There is no such recipe, or its file has a mistake.
    """
    if name.endswith(".toml"):
        return read(Path(name))
    if name not in names():
        raise unknown("recipe", name, names(), "`nacre reproduce --list` lists them all.")
    return read(folder() / f"{name}.toml")


def read(path: Path) -> Recipe:
    """Read and check a recipe.

    The tables `data_options`, `model`, `training`, `evaluation`, `expect` and `published`, and the keys `data`, `seeds`
    and `budget`, may stand at the top of the file, in `[runs.NAME]`, in `[tiers.TIER]` and in
    `[tiers.TIER.runs.NAME]`; the later of these adds to the earlier and wins over it.

    Raises:
        NacreError: The file is missing or has a mistake; one sentence names the file and the key.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise NacreError(f"the recipe {path} cannot be read; check the path.") from error
    except tomllib.TOMLDecodeError as error:
        raise NacreError(f"{path} is no TOML: {error}.") from None
    try:
        return _recipe(path, content)
    except NacreError as error:
        raise NacreError(f"{path}: {error}") from None


def _recipe(path: Path, content: dict[str, Any]) -> Recipe:
    _check_level(content, "the file", {"title": str, "paper": str, "notes": str, "runs": dict, "tiers": dict})
    for key in ("title", "paper", "tiers"):
        if not content.get(key):
            raise NacreError(f"the key {key} is missing; add it.")
    runs = content.get("runs", {"": {}})
    for run, level in runs.items():
        _check_level(level, f"[runs.{run}]")
    tiers = {}
    for tier, level in content["tiers"].items():
        if tier not in TIERS:
            raise NacreError(f"there is no tier {tier!r}; use {', '.join(TIERS)}.")
        _check_level(level, f"[tiers.{tier}]", {"runs": dict})
        own = level.get("runs", {})
        for run in own:
            if run not in runs:
                raise unknown("run", run, list(runs))
            _check_level(own[run], f"[tiers.{tier}.runs.{run}]")
        tiers[tier] = tuple(
            _setting(path.stem, tier, run, [content, runs[run], level, own.get(run, {})]) for run in runs
        )
        for setting in tiers[tier]:
            _check_compared(setting, list(runs))
    ordered = {tier: tiers[tier] for tier in TIERS if tier in tiers}
    return Recipe(path.stem, path, content["title"], content["paper"], content.get("notes", "").strip(), ordered)


def _check_level(level: Any, where: str, more: Mapping[str, type] | None = None) -> None:
    kinds = {**PARTS, **dict.fromkeys(TABLES, dict), **(more or {})}
    if not isinstance(level, dict):
        raise NacreError(f"{where} is no table.")
    for key, value in level.items():
        if key not in kinds:
            raise unknown(f"key of {where}", key, list(kinds))
        if not isinstance(value, kinds[key]):
            raise NacreError(f"{key} in {where} is {value!r}; it must be a {_words(kinds[key])}.")


def _words(kind: type) -> str:
    return {str: "text in quotes", list: "list in brackets", dict: "table", int: "whole number"}[kind]


def _setting(recipe: str, tier: str, run: str, levels: list[dict[str, Any]]) -> Setting:
    """The setting that these levels make together, the later ones before the earlier ones."""
    where = " of ".join(part for part in (run, tier) if part)
    parts: dict[str, Any] = {key: value for level in levels for key, value in level.items() if key in PARTS}
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    for level in levels:
        for name in TABLES:
            tables[name] |= level.get(name, {})
    if not parts.get("data") or "name" not in tables["model"]:
        raise NacreError(f"{where} needs data and a model.name.")
    if not tables["evaluation"].get("metrics"):
        raise NacreError(f"{where} needs evaluation.metrics, a list of names.")
    if not tables["expect"]:
        raise NacreError(f"{where} expects nothing; give ranges such as expect.frechet.max = 10.")
    seeds = parts.get("seeds", [])
    if not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds) or len(set(seeds)) < len(seeds):
        raise NacreError(f"the seeds of {where} are {seeds}; give different whole numbers such as [0, 1, 2].")
    expect = {name: _bound(name, value) for name, value in tables["expect"].items()}
    published = {name: _published(name, value) for name, value in tables["published"].items()}
    return Setting(
        recipe,
        tier,
        run,
        **{**parts, "seeds": tuple(seeds)},
        **{**tables, "expect": expect, "published": published},
    )


def _bound(name: str, value: Any) -> Bound:
    relations = ("relative_to", "relative_to_run", "minus_run")
    _check_keys(f"expect.{name}", value, {"min": float, "max": float, **dict.fromkeys(relations, str)})
    if sum(relation in value for relation in relations) > 1:
        raise NacreError(f"expect.{name} is relative to several things; give one of {', '.join(relations)}.")
    bound = Bound(**value)
    if bound.min is None and bound.max is None:
        raise NacreError(f"expect.{name} has no bound; give it a min, a max or both.")
    if bound.min is not None and bound.max is not None and bound.min > bound.max:
        raise NacreError(f"expect.{name} has a min of {bound.min:g} above its max of {bound.max:g}.")
    return bound


def _check_compared(setting: Setting, runs: list[str]) -> None:
    """Refuse a range relative to a run that does not exist, or to its own."""
    for name, bound in setting.expect.items():
        if bound.run and bound.run not in runs:
            raise unknown(f"run for expect.{name}", bound.run, [run for run in runs if run])
        if bound.run and bound.run == setting.run:
            raise NacreError(f"expect.{name} of the run {setting.run} is relative to itself; name another run.")


def _published(name: str, value: Any) -> Published:
    _check_keys(f"published.{name}", value, {"value": float, "source": str, "protocol": str})
    if "value" not in value or not value.get("source"):
        raise NacreError(f"published.{name} needs a value and a source.")
    return Published(**value)


def _check_keys(where: str, table: Any, kinds: Mapping[str, type]) -> None:
    if not isinstance(table, dict):
        raise NacreError(f"{where} is {table!r}; it must be a table with {', '.join(kinds)}.")
    for key, value in table.items():
        if key not in kinds:
            raise unknown(f"key of {where}", key, list(kinds))
        number = kinds[key] is float
        if not (type(value) in (int, float) if number else isinstance(value, str)):
            raise NacreError(f"{where}.{key} is {value!r}; it must be {'a number' if number else 'text in quotes'}.")
