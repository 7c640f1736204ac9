"""`nacre score`."""

from pathlib import Path
from typing import Annotated

import tyro

from nacre.cli.output import unused, write
from nacre.errors import NacreError


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = "",
    *,
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 32,
    draws: int = 20,
    seed: int = 0,
    grid: Path | None = None,
    out: Path | None = None,
) -> None:
    """Find anomalies: the examples that the model finds least likely.

    The score is log p(x) or the bound on it, in nats, and for a model without one minus the squared error of its
    reconstruction. It depends on how complex an example is too (Nalisnick et al. 2019): look at what it finds.

    Args:
        run: The run folder.
        data: What to score; by default held-out examples of the run's own data.
        n: How many of the least likely examples to show.
        draws: Draws of the bound for each example, where the score is one.
        seed: Seed of the draws.
        grid: Write a picture of them here; the default is anomalies.png in the run folder.
        out: Write the scores of all examples, in the data's order: .npy, .npz, .csv or .parquet, the last two with the
            names of the files where there are some.
    """
    from nacre.anomaly import scores
    from nacre.api import load
    from nacre.cli.input import given
    from nacre.data.spec import Spec

    unused(out)
    if n < 1 or draws < 1:
        raise NacreError("-n and --draws must be at least 1.")
    model = load(run)
    source = given(run, data)
    x = source.examples().x.cpu()
    values = scores(model, x, draws=draws, seed=seed)
    if out is not None:
        beside = {"file": source.files} if source.files else {}
        write(values[:, None], Spec((1,), columns=("score",)), out, beside=beside)
    order = values.argsort()[:n]
    print("log p(x) in nats" if model.can("score") else "minus the squared error of the reconstruction")
    print(f"{'row':>8}  {'score':>10}{'  file' * bool(source.files)}")
    for row in order.tolist():
        print(f"{row:>8}  {values[row].item():>10.4g}{'  ' + source.files[row] if source.files else ''}")
    if model.spec.kind == "image" or grid is not None:
        write(x[order], model.spec, None, grid or Path(run) / "anomalies.png")
