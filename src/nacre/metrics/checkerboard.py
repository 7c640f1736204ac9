"""The marks that upsampling leaves in samples: power at the frequencies of grids of 2 and 4 pixels."""

import torch
from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.intervals import bootstrap
from nacre.metrics.result import Result

CHEAP = False
ON_REQUEST = True
SMALLEST, CHUNK, PERIOD = 16, 500, 4


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    spec = context.data.spec
    if spec.kind != "image":
        return "the data are no images"
    if min(spec.shape[1:]) < SMALLEST:
        return f"the images are smaller than {SMALLEST} x {SMALLEST}, where these frequencies are all there is"
    return "" if context.model.can("sample") else "it makes no samples"


def measure(context: Context) -> list[Result]:
    """The share of the samples' power at the frequencies 1/2 and 1/4 per pixel, to be near that of real images.

    P is the squared modulus of the two-dimensional Fourier transform of every channel, summed over channels and images;
    the share is that of the places where either frequency is 1/2 or 1/4 in size, of all places but the constant. A
    layer that doubles a map by kernels that overlap unevenly lays a grid of period 2 over it, and one of period 4 over
    the image if a doubling follows. Blocks of equal pixels are no such grid. A share below that of real images says
    that the samples lack fine detail. Sides are cropped to multiples of 4 so that these frequencies are places of the
    transform.

    Reference:
        Odena, Dumoulin, Olah. Deconvolution and checkerboard artifacts. 2016 (the marks and where they come from).
        Durall, Keuper, Keuper. Watch your up-convolution. 2020. arXiv 2003.01826 (spectra of samples).
    """
    generated, real = power(context.generated), power(context.real.x)
    value, reference = share(generated), share(real)
    return [
        Result(
            "checkerboard",
            value,
            "of the power",
            "",
            context.protocol("frequencies 1/2 and 1/4 on either axis", n_real=len(real), n_generated=len(generated)),
            bootstrap(share, value, generated, seed=context.seed),
            references={"real images": reference},
            warnings=context.warnings,
            details={
                "interval": "bootstrap over samples",
                "ratio": value / reference if reference else float("inf"),
                "by_2": float(generated[:, 0].sum() / generated[:, 2].sum().clamp(min=1e-300)),
                "by_4": float(generated[:, 1].sum() / generated[:, 2].sum().clamp(min=1e-300)),
            },
        )
    ]


def power(x: Tensor) -> Tensor:
    """Of every image (n, c, h, w) the power at 1/2, at 1/4 where neither is 1/2, and in all but the mean: (n, 3)."""
    h, w = (side // PERIOD * PERIOD for side in x.shape[2:])
    at = {k: grid(h, w, k) for k in (2, 4)}
    rows = []
    for part in x.split(CHUNK):
        image = part[..., :h, :w].double()
        spectrum = torch.fft.fft2(image - image.mean((2, 3), keepdim=True)).abs().square().sum(1)
        by_2, by_4 = spectrum[:, at[2]].sum(1), spectrum[:, at[4] & ~at[2]].sum(1)
        rows.append(torch.stack([by_2, by_4, spectrum.sum((1, 2))], 1))
    return torch.cat(rows)


def grid(h: int, w: int, period: int) -> Tensor:
    """Where either frequency of the transform of an image is 1 / period in size, (h, w)."""
    rows, columns = (torch.fft.fftfreq(side, dtype=torch.float64).abs() == 1 / period for side in (h, w))
    return rows[:, None] | columns[None]


def share(power: Tensor) -> float:
    """The part of all power that is at these frequencies; 0 for constant images."""
    return float(power[:, :2].sum() / power[:, 2].sum().clamp(min=1e-300))
