"""`nacre traverse`."""

from pathlib import Path
from typing import Annotated

import tyro

from nacre.errors import NacreError

ROWS = 10


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    dims: tuple[int, ...] = (),
    reach: float = 3.0,
    steps: int | None = None,
    seed: int = 0,
    grid: Path | None = None,
    animation: Path | None = None,
) -> None:
    """Change single dimensions of a code, one row each; a latent of two dimensions is drawn as a whole.

    A conditional model is told what the example whose code it is has, its label for example.

    Args:
        run: The run folder.
        dims: Which dimensions, counted from 0; by default those ten that change most, or the grid of two.
        reach: How far to both sides, in standard deviations of the prior, or of the data's codes without one.
        steps: Pictures per row, 2 or more; 9 by default, 20 in the grid of two.
        seed: Chooses the example whose code is changed.
        grid: Write a picture here; the default is traversal.png or manifold.png in the run folder.
        animation: Write the rows as a moving picture instead: .gif, .apng or .png.
    """
    import torch

    from nacre.api import load
    from nacre.cli.input import held_out
    from nacre.cli.latent import show, some_codes
    from nacre.latent.codes import codes_of, has_prior
    from nacre.latent.manifold import manifold
    from nacre.latent.traverse import traverse
    from nacre.nets.conditions import told_of

    if not 0 < reach < float("inf"):
        raise NacreError(f"reach is {reach:g}; it must be positive.")
    model = load(run)
    code = some_codes(model, run, 1, seed)
    z, told = code.z[0], told_of(code.told, 0)
    data = held_out(run) if model.can("encode") else None
    known = None if has_prior(model) else codes_of(model, data, telling=True).z
    if not dims and len(z) == 2:
        plane = manifold(model, 20 if steps is None else steps, known, **told)
        show(plane, model, Path(run) / "manifold.png", grid, animation, plane=True)
        return
    walks = traverse(model, z, dims or None, reach=reach, steps=9 if steps is None else steps, codes=known, **told)
    if not dims:
        units = torch.tensor(model.spec.scale, device=walks.device)
        change = (walks.flatten(2) / units).var(1).sum(1)  # of the examples in each row
        chosen = change.topk(min(ROWS, len(change))).indices
        walks, dims = walks[chosen], tuple(chosen.tolist())
        print(f"dimensions {' '.join(map(str, dims))}")
    titles = [f"dimension {dim}" for dim in dims]
    show(walks, model, Path(run) / "traversal.png", grid, animation, titles)
