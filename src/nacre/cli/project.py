"""`nacre project`."""

from pathlib import Path
from typing import Annotated

import tyro

from nacre.errors import NacreError


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = "",
    *,
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 8,
    steps: int = 500,
    restarts: int = 4,
    prior: float = 0.0,
    features: bool = False,
    seed: int = 0,
    progress: bool = True,
    grid: Path | None = None,
    out: Path | None = None,
) -> None:
    """Find latent codes for given examples by optimisation; the picture shows each beside what its code decodes to.

    Args:
        run: The run folder.
        data: What to project, such as one image file; by default held-out examples of the run's own data.
        n: How many examples.
        steps: Steps of the optimisation.
        restarts: Starts per example; the best one counts.
        prior: Weight of the code's squared length, 0 or more; keeps codes where the prior has its mass.
        features: Compare the features of a classifier of the run's labelled data too, not only values.
        seed: Chooses the examples and the starts.
        progress: Show a progress bar.
        grid: Write a picture here; the default is projections.png in the run folder.
        out: Write the codes here: .npy, .npz, .csv or .parquet.
    """
    from nacre.api import load
    from nacre.cli.input import held_out
    from nacre.cli.latent import training
    from nacre.cli.output import unused, write, write_pairs
    from nacre.latent.attributes import judge_of
    from nacre.latent.project import project

    unused(out)
    if n < 1:
        raise NacreError(f"-n is {n}; it must be at least 1.")
    model = load(run)
    x = held_out(run, data).examples(n, seed).x
    judge = judge_of(training(run)).to(model.device).features if features else None
    found = project(model, x, steps=steps, restarts=restarts, prior=prior, features=judge, seed=seed, progress=progress)
    if out is not None:
        write(found.codes, None, out)
    if grid is not None or out is None:
        place = grid or Path(run) / "projections.png"
        write_pairs(x, found.reconstructions, model.spec, place, min(8, 2 * len(x)))
    low, high = float(found.errors.min()), float(found.errors.max())
    print(f"squared error per value {float(found.errors.mean()):.4g} (from {low:.4g} to {high:.4g})")
