"""`nacre sample`."""

from pathlib import Path
from typing import Annotated

import tyro

from nacre.cli.output import write
from nacre.errors import NacreError


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64,
    seed: int | None = None,
    grid: Path | None = None,
    out: Path | None = None,
    label: int | None = None,
) -> None:
    """Draw new examples from a trained run.

    Args:
        run: The run folder, or a saved model.
        n: How many.
        seed: Seed of the draws; the same seed gives the same examples.
        grid: Write a picture here; the default is samples.png in the run folder.
        out: Write the examples here: .npy or .npz as an array, .csv or .parquet as a table, a folder as images.
        label: Draw examples of this class, from a conditional model.
    """
    from nacre.api import load

    if n < 1:
        raise NacreError(f"-n is {n}; it must be at least 1.")
    model = load(run)
    if label is not None:
        raise NacreError(
            f"{model.registered_name()} is unconditional and cannot be asked for a label; "
            f"leave --label out, or train a conditional model."
        )
    write(model.sample(n, seed=seed), model.spec, out, grid or (None if out else Path(run) / "samples.png"))
