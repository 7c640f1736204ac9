"""`nacre encode`."""

from pathlib import Path
from typing import Annotated

import tyro

from nacre.cli.output import unused, write


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = "",
    *,
    out: Path | None = None,
) -> None:
    """Write the latent codes of a data set, in its own order.

    Args:
        run: The run folder.
        data: What to encode; by default held-out examples of the run's own data.
        out: .npy, .npz, .csv or .parquet; the default is codes.npy in the run folder.
    """
    from nacre.api import load
    from nacre.cli.input import given

    unused(out)
    model = load(run)
    write(model.encode(given(run, data).examples().x), None, out or Path(run) / "codes.npy")
