"""`nacre reconstruct`."""

from pathlib import Path
from typing import Annotated

import tyro

from nacre.cli.output import print_columns, rounded, unused, write_examples, write_pairs

FEW = 32


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = "",
    *,
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None,
    seed: int = 0,
    grid: Path | None = None,
    out: Path | None = None,
) -> None:
    """Send examples through a model and back; the picture shows each pair, of tables it says how near they are.

    A conditional model is told their labels and attributes where the data have them.

    Args:
        run: The run folder.
        data: What to reconstruct; by default held-out examples of the run's own data.
        n: How many examples, drawn at random; by default 32, but with DATA and --out all in their order.
        seed: Seed of the choice of examples.
        grid: Write a picture here; the default is reconstructions.png in the run folder.
        out: Write the reconstructions here, as `nacre sample` does, with the labels where there are some.
    """
    from nacre.api import load
    from nacre.cli.input import some
    from nacre.nets.conditions import told

    unused(out)
    model = load(run)
    source = some(run, data, n, FEW, seed, out)
    batch = source.examples(seed=seed)
    x = batch.x
    y = rounded(model.reconstruct(x, seed=seed, **told(model, batch, source.spec)), model.spec)
    if out is not None:
        write_examples(y, source, model.spec, out)
    elif model.spec.columns and grid is None:
        print_columns(model.spec, x, y.cpu(), range(len(model.spec.columns)))
    if grid is not None or not (out or model.spec.columns):
        write_pairs(x[: n or FEW], y[: n or FEW], model.spec, grid or Path(run) / "reconstructions.png", 8)
