"""`nacre inpaint`."""

from pathlib import Path
from typing import Annotated

import tyro

from nacre.cli.output import print_columns, rounded, unused, write
from nacre.errors import NacreError


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = "",
    *,
    mask: str = "bottom",
    columns: tuple[str, ...] = (),
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 16,
    draws: int = 3,
    steps: int = 50,
    seed: int = 0,
    grid: Path | None = None,
    out: Path | None = None,
) -> None:
    """Hide a part of examples and let the model fill it in; the picture shows hidden, filled in and true.

    Args:
        run: The run folder.
        data: What to fill in; by default held-out examples of the run's own data.
        mask: What is hidden of images: top, bottom, left, right, center, or random:0.5.
        columns: What is hidden of tables: the columns' names, instead of --mask.
        n: How many examples.
        draws: How many times each is filled in.
        steps: Steps of the chain that draws the values.
        seed: Seed of the choice and of the draws.
        grid: Write a picture here; the default is inpainted.png in the run folder.
        out: Write the first draw of every example here, as `nacre sample` does.
    """
    import torch

    from nacre.api import load
    from nacre.cli.input import given
    from nacre.impute import impute, region

    unused(out)
    if n < 1 or draws < 1:
        raise NacreError("-n and --draws must be at least 1.")
    model = load(run)
    spec = model.spec
    x = given(run, data).examples(n, seed).x.cpu()
    names = spec.columns or tuple(f"x{i}" for i in range(spec.size))
    if spec.kind == "image":
        if columns:
            raise NacreError("images have no columns; say what is hidden of them by --mask.")
        gone = region(mask, spec.shape, seed)
    else:
        unknown = [name for name in columns if name not in names]
        if unknown or not columns:
            what = f"there is no column {unknown[0]!r}" if unknown else "say which --columns to fill in"
            raise NacreError(f"{what}; there are {', '.join(names)}.")
        gone = torch.tensor([name in columns for name in names])
    filled = [impute(model, x, gone, steps=steps, seed=seed + i) for i in range(draws)]
    known = x.isfinite() & ~gone
    filled = [torch.where(known, x, rounded(found.cpu(), spec)) for found in filled]
    if out is not None:
        write(filled[0], spec, out)
    if spec.kind == "image":
        hidden = torch.where(gone, torch.full_like(x, 0.5), x)
        rows = torch.stack([hidden, *filled, x], 1).flatten(0, 1)
        write(rows, spec, None, grid or (None if out else Path(run) / "inpainted.png"), columns=draws + 2)
    elif out is None:
        print_columns(spec, x, filled[0], [names.index(name) for name in columns])
