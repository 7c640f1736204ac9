"""`nacre sample`."""

from __future__ import annotations

import math
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from nacre.cli.output import LABELLED, free_column, rounded, unused, write, write_labelled
from nacre.errors import NacreError

if TYPE_CHECKING:
    from nacre.model import Model


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64,
    seed: int | None = None,
    grid: Path | None = None,
    out: Path | None = None,
    label: str | None = None,
    attribute: tuple[str, ...] = (),
    code: tuple[str, ...] = (),
    per_class: int | None = None,
    truncation: float | None = None,
) -> None:
    """Draw new examples from a trained run.

    Args:
        run: The run folder, or a saved model.
        n: How many.
        seed: Seed of the draws; the same seed gives the same examples.
        grid: Write a picture here; the default is samples.png in the run folder.
        out: Write the examples here: .npy or .npz as an array, .csv or .parquet as a table, .txt as strings, a folder
            as images. Without it, strings are printed. Tables and .npz get the labels that a conditional model drew.
        label: Draw examples of this class, by number or name, from a conditional model.
        attribute: Draw examples with these attributes, such as thickness=3 slant=0.2, from a conditional model.
        code: Draw examples with these codes, such as c1=3 c2=-0.5, from infogan.
        per_class: Draw this many of every class and write them to --out, a folder with one folder for each class, or
            an .npz, .csv or .parquet with their labels: a labelled set to train on.
        truncation: Draw the latent's values again until they lie within this of 0, such as 0.7: likelier examples
            that differ less.
    """
    from nacre.api import load
    from nacre.latent.truncation import sample_truncated

    unused(out)
    if n < 1:
        raise NacreError(f"-n is {n}; it must be at least 1.")
    model = load(run)
    asked = conditions(model, label, attribute, code)
    for note in strange(model, asked.get("attributes", {})):
        print(f"note: {note}", file=sys.stderr)
    draw = model.sample if truncation is None else partial(sample_truncated, model, threshold=truncation)
    if per_class is not None:
        if out is None:
            raise NacreError("--per-class needs --out: a folder for images, or an .npz, .csv or .parquet file.")
        if per_class < 1 or label is not None:
            raise NacreError("--per-class takes a number of 1 or more, and no --label.")
        conditions(model, "0")
        classes = model.spec.classes
        labels = [i for i in range(len(classes)) for _ in range(per_class)]
        x = rounded(draw(len(labels), seed=seed, labels=labels, **asked), model.spec)
        write_labelled(x, labels, model.spec, out, label_column(run, model))
        return
    asked = told(model, n, seed, asked) if takes_labels(model) else asked
    x = rounded(draw(n, seed=seed, **asked), model.spec)
    default = None if out else Path(run) / "samples.png"
    if out is not None and out.suffix in LABELLED and "labels" in asked:
        write_labelled(x, asked["labels"].tolist(), model.spec, out, label_column(run, model))
        if grid is not None:
            write(x, model.spec, None, grid)
        return
    write(x, model.spec, out, grid or default)


def takes_labels(model: Model) -> bool:
    """Whether the model's samples are of classes that can be asked for."""
    import inspect

    return bool(model.spec.classes) and "labels" in inspect.signature(type(model).sample).parameters


def told(model: Any, n: int, seed: int | None, asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, a label for each; without one, labels and attributes of random training examples."""
    from nacre.model import seeded

    if "labels" in asked:
        return {**asked, "labels": model.conditions.asked(n, asked["labels"])[0]}
    with seeded(seed):
        labels, attributes = model.conditions.drawn(n)
    beside = {"labels": labels, "attributes": attributes} if model.spec.attributes else {"labels": labels}
    return {**beside, **asked}


def strange(model: Any, attributes: dict[str, float]) -> list[str]:
    """A sentence for each attribute that is asked for outside of what the training examples have."""
    notes = []
    for name, value in attributes.items():
        if name in model.spec.attributes:
            seen = model.conditions.attributes[:, model.spec.attributes.index(name)]
            seen = seen[seen.isfinite()]
            if len(seen) and not seen.min() <= value <= seen.max():
                span = f"{float(seen.min()):.3g} to {float(seen.max()):.3g}"
                notes.append(f"{name}={value:g} lies outside of {span}, which 10,000 of the training examples have.")
    return notes


def label_column(run: str, model: Model) -> str:
    """The name of the column of labels in the data of a run, or one that its columns leave free."""
    from nacre.cli.input import facts

    return free_column(facts(run)[1].get("label", ""), model.spec)


def conditions(
    model: Model, label: str | None, attributes: tuple[str, ...] = (), codes: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The options of `sample` that ask for a label, attributes and codes.

    Raises:
        NacreError: The model takes none, or an attribute or a code is not written as name=value.
    """
    import inspect

    takes = inspect.signature(type(model).sample).parameters
    asked: dict[str, Any] = {}
    if label is not None:
        if "labels" not in takes:
            raise NacreError(
                f"{model.registered_name()} is unconditional and cannot be asked for a label; "
                f"leave --label out, or train a conditional model such as cvae."
            )
        number = label not in model.spec.classes and label.removeprefix("-").isdigit()
        asked["labels"] = int(label) if number else label
    if attributes:
        if "attributes" not in takes:
            raise NacreError(f"{model.registered_name()} cannot be asked for attributes; train cvae with --attributes.")
        asked["attributes"] = dict(map(pair, attributes))
    if codes:
        if "codes" not in takes:
            raise NacreError(f"{model.registered_name()} has no codes to ask for; leave --code out, or train infogan.")
        asked["codes"] = dict(map(pair, codes))
    return asked


def pair(text: str) -> tuple[str, float]:
    """A name and its value.

    Raises:
        NacreError: It is not written as name=value.
    """
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        raise NacreError(f"{text!r} is no name with a value; write name=value, such as thickness=3.") from None
    if not math.isfinite(number):
        raise NacreError(f"{text!r} is not finite; leave {name} out where it does not matter.")
    return name, number
