"""Encoded images: opened, brought to one mode and size, decoded by index."""

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nacre.data.pixels import CHANNELS, convert, fit, mode_of
from nacre.errors import NacreError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")
PROBED = 1000


class EncodedImages:
    """Images that stay encoded until they are asked for.

    They must be of one size, or be given one by `like`. Their common mode is the widest among up to 1,000 of them,
    spread over the whole: grey, 16-bit grey, RGB or RGBA.

    Args:
        items: Paths, or a pyarrow column of bytes or of {bytes, path}; at least one.
    """

    def __init__(self, items: Any):
        self.items = items
        self.size: tuple[int, int] | None = None
        self.rows = np.arange(len(items))
        probes = np.unique(np.linspace(0, len(items) - 1, PROBED).astype(int))
        modes = {self._read(int(i), mode_of) for i in probes}
        self.mode = max(modes, key=list(CHANNELS).index)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def unit(self) -> float:
        """The factor from a decoded value to [0, 1]."""
        return 1 / 65535 if self.mode == "I;16" else 1 / 255

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape (c, h, w) of the first image, which all others must have."""
        return self._read(0, self._pixels).shape

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of the images; none where they are of a table."""
        return tuple(str(self.items[row]) for row in self.rows) if isinstance(self.items, list) else ()

    @property
    def decoded_bytes(self) -> int:
        """The bytes of all decoded images."""
        return len(self) * int(np.prod(self.shape)) * (4 if self.mode == "I;16" else 1)

    def take(self, index: np.ndarray) -> "EncodedImages":
        """The images of an index (n,)."""
        other = copy(self)
        other.rows = self.rows[index]
        return other

    def like(self, mode: str, size: tuple[int, int] | None) -> "EncodedImages":
        """The same images in a mode of `CHANNELS`, resized to (height, width) unless that is None."""
        other = copy(self)
        other.__dict__.pop("shape", None)
        other.mode, other.size = mode, size
        return other

    @staticmethod
    def join(parts: Sequence["EncodedImages"]) -> "EncodedImages":
        """Several sets of images as one, in their order."""
        if all(isinstance(part.items, list) for part in parts):
            return EncodedImages([item for part in parts for item in part.items])
        import pyarrow as pa

        return EncodedImages(pa.chunked_array([chunk for part in parts for chunk in part.items.chunks]))

    def decode(self, index: np.ndarray | None = None) -> np.ndarray:
        """The pixels of an index, or of all: uint8, or float32 in 0..65535 if the images have 16 bits.

        Shapes:
            index (n,) -> (n, c, h, w)

        Raises:
            NacreError: If an image does not decode or differs in size from the first.
        """
        rows = self.rows if index is None else self.rows[index]
        pixels = np.empty((len(rows), *self.shape), np.float32 if self.mode == "I;16" else np.uint8)

        def fill(part: np.ndarray) -> None:
            for i in part:
                row = int(rows[i])
                one = self._read(row, self._pixels)
                if one.shape != self.shape:
                    raise self._other_size(row, one.shape)
                pixels[i] = one

        # A pool per call and not per process: threads do not survive the fork of a worker process.
        workers = min(8, os.cpu_count() or 1, max(1, len(rows) // 8))
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(fill, np.array_split(np.arange(len(rows)), workers)))
        return pixels

    def identity(self) -> bytes:
        """A digest of the encoded images: contents, or names, lengths and times of files."""
        digest = hashlib.sha256(f"{self.size} {self.mode}".encode())
        for row in self.rows:
            source, label = self._source(int(row))
            if isinstance(source, Path):
                status = source.stat()
                digest.update(f"{label} {status.st_size} {status.st_mtime_ns}".encode())
            else:
                digest.update(source)
        return digest.digest()

    def _source(self, row: int) -> tuple[Path | bytes, str]:
        item = self.items[row]
        if isinstance(item, Path):
            return item, str(item)
        value = item.as_py()
        content, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
        label = f"in row {row}" + (f" ({path})" if path else "")
        if content is not None:
            return content, label
        if path is None:
            raise NacreError(f"there is no image {label}; remove the rows without an image.")
        return Path(path), label

    def _read(self, row: int, use: Callable[[Any], Any]) -> Any:
        from PIL import Image

        source, label = self._source(row)
        try:
            with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as image:
                return use(image)
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            reason = "not an image" if "identify" in str(error) else str(error).rstrip(".")
            raise NacreError(f"the image {label} does not decode ({reason}); remove it or save it again.") from error

    def _pixels(self, image: Any) -> np.ndarray:
        from PIL import ImageOps

        if self.size:
            # Twice the size wanted is decoded from a JPEG, which is much faster for photographs.
            image.draft(None, (2 * self.size[1], 2 * self.size[0]))
        values = convert(ImageOps.exif_transpose(image), self.mode)
        if self.size:
            values = fit(values, self.size)
        pixels = np.asarray(values)
        return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None]

    def _other_size(self, row: int, shape: tuple[int, ...]) -> NacreError:
        (_, h, w), (_, height, width) = shape, self.shape
        return NacreError(
            f"the image {self._source(row)[1]} is {h} x {w} but the first one is {height} x {width} (height x width); "
            f"give a size such as --size {min(h, w, height, width)} to bring all to one."
        )
