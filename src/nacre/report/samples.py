"""Samples on the page: real examples first, then each model's, in one scale."""

import base64
import io
from collections.abc import Sequence
from html import escape

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.data.strings import strings
from nacre.report.charts import limits, profiles, scatter
from nacre.report.entry import Entry

SHOWN = 64
POINTS = 1_500
REAL = 7


def samples(every: Sequence[Entry], held: Data | None) -> str:
    """Real examples, then those of each model, drawn in one scale."""
    spec = every[0].model.spec
    count = POINTS if spec.shape == (2,) else SHOWN
    real = None if held is None else held.examples(count, seed=0).x.cpu()
    reference = every[0].run.path / "samples" / "real.png"
    tiles = []
    if real is not None:
        tiles.append(tile(f"real, {'held out' if held is not None and held.split == 'test' else 'training'}",
                          picture(real, spec, real, REAL)))  # fmt: skip
    elif reference.is_file():
        tiles.append(tile("real, training", image(reference.read_bytes())))
    for entry in every:
        if entry.model.can("sample"):
            x = entry.model.sample(count, seed=0).cpu()
            tiles.append(tile(entry.label, picture(x, spec, x if real is None else real, entry.color)))
    return f'<div class="tiles">{"".join(tiles)}</div>'


def tile(label: str, content: str) -> str:
    """A picture with its name."""
    return f"<figure>{content}<figcaption>{escape(label)}</figcaption></figure>"


def picture(x: Tensor, spec: Spec, real: Tensor, color: int) -> str:
    """Examples as HTML: a grid of images, points in the plane, strings, or lines over the columns.

    Args:
        x: Examples (n, *shape).
        spec: What they are.
        real: Real examples, whose range is shown.
        color: The number of a colour.
    """
    if spec.kind == "image":
        return image(png(x))
    if spec.kind == "sequence":
        return f"<pre>{escape(chr(10).join(strings(x, spec)))}</pre>"
    if spec.shape == (2,):
        across, up = (limits(real[:, i].tolist()) for i in (0, 1))
        return scatter(x.tolist(), color, across, up)
    center, scale = torch.tensor(spec.center), torch.tensor(spec.scale)
    low, high = limits(((real - center) / scale).flatten().tolist())
    return profiles(((x - center) / scale).tolist(), color, low, high)


def png(x: Tensor, across: int | None = None) -> bytes:
    """A grid of images with transparent gaps, as a PNG: square, or with so many in a row."""
    import numpy as np
    from PIL import Image

    from nacre.pictures import grid

    pixels = grid(x, across)
    height, width = x.shape[2:]
    rows, columns = (
        np.arange(side) % (own + 1) < own for side, own in zip(pixels.shape, (height, width), strict=False)
    )
    alpha = np.outer(rows, columns)[..., None] * (pixels[..., 3:] if pixels.shape[2] == 4 else np.uint8(255))
    file = io.BytesIO()
    Image.fromarray(np.concatenate([pixels[..., :3], alpha.astype(np.uint8)], 2)).save(file, "PNG")
    return file.getvalue()


def image(content: bytes) -> str:
    """A PNG inside the page."""
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(content).decode()}">'
