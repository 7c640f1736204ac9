"""Pixels: PIL images brought to one mode and size."""

from typing import Any

import numpy as np

CHANNELS = {"L": 1, "I;16": 1, "RGB": 3, "RGBA": 4}
COLORS = {"grey": "L", "rgb": "RGB", "rgba": "RGBA"}
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, as Pillow weighs them (ITU-R 601)


def fit(image: Any, size: tuple[int, int]) -> Any:
    """A PIL image resized with antialiasing until its short side fits (height, width), then cropped at the centre."""
    from PIL import Image, ImageOps

    return ImageOps.fit(image, (size[1], size[0]), Image.Resampling.LANCZOS)


def resize(pixels: np.ndarray, size: tuple[int, int], highest: float) -> np.ndarray:
    """An array of images resized as `fit` does, clipped to [0, highest].

    Shapes:
        (n, c, h, w) -> (n, c, *size), of the same type
    """
    from PIL import Image

    n, c = pixels.shape[:2]
    resized = np.empty((n, c, *size), pixels.dtype)
    for i in range(n):
        for j in range(c):
            plane = np.asarray(fit(Image.fromarray(pixels[i, j].astype(np.float32)), size)).clip(0, highest)
            resized[i, j] = plane.round() if pixels.dtype == np.uint8 else plane
    return resized


def recoloured(pixels: np.ndarray, channels: int, highest: float) -> np.ndarray:
    """An array of images with 1, 3 or 4 channels: grey by luminance, and an alpha channel dropped, or added as opaque.

    Shapes:
        (n, c, h, w), c of 1, 3 or 4 -> (n, channels, h, w), of the same type
    """
    colour = pixels[:, :3]
    if channels == 1:
        grey = np.tensordot(np.asarray(LUMA, np.float32), colour, (0, 1))[:, None] if colour.shape[1] == 3 else colour
        return (grey.round() if pixels.dtype == np.uint8 else grey).astype(pixels.dtype)
    if colour.shape[1] == 1:
        colour = colour.repeat(3, 1)
    if channels == 3:
        return np.ascontiguousarray(colour)
    opaque = pixels[:, 3:4] if pixels.shape[1] == 4 else np.full_like(colour[:, :1], highest)
    return np.concatenate([colour, opaque], 1)


def mode_of(image: Any) -> str:
    """The mode of `CHANNELS` that holds an image without loss."""
    if image.mode.startswith("I"):
        return "I;16"
    if image.mode == "F":
        raise ValueError("it holds floating-point values; save it with 8 or 16 bits")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return "RGBA"
    return "L" if image.mode in ("1", "L") else "RGB"


def convert(image: Any, mode: str) -> Any:
    """A PIL image in a mode of `CHANNELS`; 16-bit grey becomes float ("F") in 0..65535."""
    from PIL import Image

    if mode != "I;16":
        if mode_of(image) == "I;16":
            image = Image.fromarray((np.asarray(image.convert("I")) / 257).clip(0, 255).round().astype(np.uint8))
        return image if image.mode == mode else image.convert(mode)
    values = np.asarray(image.convert("I")).astype(np.float32)
    if values.max() > 65535 or values.min() < 0:
        raise ValueError("it has values above 16 bits; save it with 8 or 16 bits")
    return Image.fromarray(values if mode_of(image) == "I;16" else values * 257)
