"""Rows of pictures on the page: walks through latent space, and samples beside their nearest training examples."""

from collections.abc import Sequence

import torch

from nacre.data.dataset import Data
from nacre.errors import NacreError
from nacre.report.entry import Entry
from nacre.report.samples import image, png, tile

ROWS, STEPS = 4, 9


def walks(every: Sequence[Entry], held: Data | None) -> str:
    """Walks between held-out images for models with an encoder, between draws of the prior for others."""
    from nacre.latent.codes import codes_of
    from nacre.latent.interpolate import interpolate
    from nacre.nets.conditions import told_of

    tiles = []
    for entry in every:
        model = entry.model
        encodes = model.can("encode")
        if model.spec.kind != "image" or not model.can("interpolate") or (encodes and held is None):
            continue
        path = "linear" if encodes else "spherical"
        try:
            codes = codes_of(model, held if encodes else None, n=2 * ROWS, seed=0, telling=True)
            pairs = codes.z[: len(codes) // 2 * 2].unflatten(0, (-1, 2))
            told = [told_of(codes.told, 2 * row) for row in range(len(pairs))]
            rows = [
                interpolate(model, *pair, steps=STEPS, path=path, **what)
                for pair, what in zip(pairs, told, strict=True)
            ]
        except NacreError:  # a model whose codes want a condition beside them
            continue
        ends = "held-out examples" if encodes else "draws of the prior"
        tiles.append(tile(f"{entry.label}, between {ends}", image(png(torch.cat(rows).cpu(), STEPS))))
    return f'<div class="tiles wide">{"".join(tiles)}</div>' if tiles else ""


def copies(every: Sequence[Entry]) -> str:
    """The picture of nearest training examples that each run's evaluation has drawn."""
    files = [(entry.label, entry.run.path / "pictures" / "memorisation.png") for entry in every]
    tiles = "".join(tile(label, image(file.read_bytes())) for label, file in files if file.is_file())
    return f'<div class="tiles wide">{tiles}</div>' if tiles else ""
