"""Arithmetic on codes: the means of attributes and their differences.

Reference:
    Radford, Metz, Chintala. Unsupervised representation learning with deep convolutional generative adversarial
    networks. 2016. arXiv 1511.06434. Section 6.3.2.
"""

from torch import Tensor

from nacre.errors import NacreError
from nacre.latent.directions import Direction


def difference(z: Tensor, present: Tensor, absent: Tensor | None = None, *, name: str = "") -> Direction:
    """The mean code of the examples with an attribute minus the mean code of those without.

    Strength 1 adds the whole difference. Radford et al. 2016.

    Args:
        z: Codes, shape (n, latent).
        present: Which have the attribute, bool (n,).
        absent: Which to start from, bool (n,); by default all others.
        name: What the direction is called.

    Raises:
        NacreError: No code has the attribute, or all have it, or the means are equal.
    """
    absent = ~present if absent is None else absent
    if not present.any() or not absent.any():
        raise NacreError(f"a difference of means needs codes with {name or 'the attribute'} and codes to start from.")
    step = z[present].mean(0) - z[absent].mean(0)
    length = step.norm()
    if not length > 0:
        raise NacreError(f"the codes with {name or 'the attribute'} and those without have the same mean.")
    return Direction(step, step / length.square(), name)


def analogy(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """A - b + c of the mean codes, shape (latent,): "a with what makes c differ from b".

    Averages of a few examples are steadier than single ones. Radford et al. 2016.

    Args:
        a: Codes (n, latent), or one code (latent,).
        b: What is taken away, likewise.
        c: What is added, likewise.
    """
    mean_a, mean_b, mean_c = (codes.reshape(-1, codes.shape[-1]).mean(0) for codes in (a, b, c))
    return mean_a - mean_b + mean_c
