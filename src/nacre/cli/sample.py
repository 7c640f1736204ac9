"""`nacre sample`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from nacre.cli.output import unused, write, write_by_class
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
            as images. Without it, strings are printed.
        label: Draw examples of this class, by number or name, from a conditional model.
        attribute: Draw examples with these attributes, such as thickness=3 slant=0.2, from a conditional model.
        code: Draw examples with these codes, such as c1=3 c2=-0.5, from infogan.
        per_class: Draw this many of every class and write them to --out, a folder with one folder for each class, or
            an .npz with their labels: a labelled set to train on.
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
    draw = model.sample if truncation is None else partial(sample_truncated, model, threshold=truncation)
    if per_class is not None:
        if out is None:
            raise NacreError("--per-class needs --out: a folder for images, or an .npz file.")
        if per_class < 1 or label is not None:
            raise NacreError("--per-class takes a number of 1 or more, and no --label.")
        conditions(model, "0")
        classes = model.spec.classes
        labels = [i for i in range(len(classes)) for _ in range(per_class)]
        x = draw(len(labels), seed=seed, labels=labels, **asked)
        write_by_class(x, labels, model.spec, out)
        return
    write(draw(n, seed=seed, **asked), model.spec, out, grid or (None if out else Path(run) / "samples.png"))


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
        asked["labels"] = int(label) if label not in model.spec.classes and label.isdigit() else label
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
        return name, float(value)
    except ValueError:
        raise NacreError(f"{text!r} is no name with a value; write name=value, such as thickness=3.") from None
