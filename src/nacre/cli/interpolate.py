"""`nacre interpolate`."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from nacre.cli.output import write
from nacre.errors import NacreError


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    pairs: int = 8,
    steps: int = 9,
    path: Literal["auto", "linear", "spherical"] = "auto",
    seed: int = 0,
    grid: Path | None = None,
) -> None:
    """Walk through latent space from one example to another: one row per pair.

    Args:
        run: The run folder.
        pairs: Rows. A model with an encoder walks between held-out examples, another between draws of its prior.
        steps: Pictures per row, 2 or more.
        path: Straight, or along the sphere, which keeps a Gaussian latent's length; auto is spherical for draws.
        seed: Seed of the choice.
        grid: Write a picture here; the default is interpolation.png in the run folder.
    """
    import torch

    from nacre.api import load
    from nacre.cli.input import held_out
    from nacre.latent.interpolate import interpolate
    from nacre.model import seeded

    if pairs < 1 or steps < 2:
        raise NacreError("interpolation needs at least one pair and two steps.")
    model = load(run)
    if model.can("encode"):
        z = model.encode(held_out(run).examples(2 * pairs, seed).x)
    else:
        with seeded(seed):
            z = model.noise(2 * pairs)
    kind = path if path != "auto" else "linear" if model.can("encode") else "spherical"
    rows = [interpolate(model, a, b, steps=steps, path=kind) for a, b in zip(z[::2], z[1::2], strict=True)]
    write(torch.cat(rows), model.spec, None, grid or Path(run) / "interpolation.png", columns=steps)
