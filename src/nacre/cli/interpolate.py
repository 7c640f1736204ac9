"""`nacre interpolate`."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from nacre.errors import NacreError

ROWS = 8


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    pairs: int | None = None,
    through: int = 2,
    steps: int = 9,
    path: Literal["auto", "linear", "spherical"] = "auto",
    seed: int = 0,
    grid: Path | None = None,
    animation: Path | None = None,
) -> None:
    """Walk through latent space from one example to another: one row per pair.

    What a conditional model is told, a label for example, is that of the first on the whole way.

    Args:
        run: The run folder.
        pairs: Rows, 8 by default, or as many as there are examples for. A model with an encoder walks between held-out
            examples, another between draws of its prior.
        through: Examples that a row goes through, 2 or more.
        steps: Pictures from one example to the next, 2 or more.
        path: Straight, or along the sphere, which keeps a Gaussian latent's length; auto is spherical for draws.
        seed: Seed of the choice.
        grid: Write a picture here; the default is interpolation.png in the run folder.
        animation: Write the walks as a moving picture instead: .gif, .apng or .png.
    """
    import torch

    from nacre.api import load
    from nacre.cli.latent import show, some_codes
    from nacre.latent.interpolate import interpolate
    from nacre.nets.conditions import told_of

    if (pairs is not None and pairs < 1) or steps < 2 or through < 2:
        raise NacreError("interpolation needs at least one pair, two examples to go through and two steps.")
    model = load(run)
    codes = some_codes(model, run, through * (pairs or 1), seed, most=through * (pairs or ROWS))
    z = codes.z[: len(codes) // through * through].unflatten(0, (-1, through))
    kind = path if path != "auto" else "linear" if model.can("encode") else "spherical"
    told = [told_of(codes.told, row * through) for row in range(len(z))]
    rows = [
        interpolate(model, *waypoints, steps=steps, path=kind, **what) for waypoints, what in zip(z, told, strict=True)
    ]
    walks = torch.stack(rows)
    show(walks, model, Path(run) / "interpolation.png", grid, animation)
