"""Hinge GAN: a discriminator that stops pushing once the margin is reached."""

from typing import Any, ClassVar

from nacre.models.gans.gan import GAN


class HingeGAN(GAN):
    """A support vector machine's game: scores beyond the margin of 1 cost the discriminator nothing.

    Discriminator: E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]. Generator: -E[D(G(z))]. At the discriminator's optimum
    the generator minimises twice the total variation distance, up to a constant.

    Algorithm: 1.

    Args:
        game: hinge.
        penalty: R1, without which the scores' slope is not bounded and the game need not converge.

    Shapes:
        sample: (n, *shape).

    Departures:
        The penalty; `sngan` is the same game with spectral norms.

    Example:
        >>> import nacre
        >>> nacre.create("hinge-gan", nacre.load_data("ring").spec).sample(5, seed=0).shape
        torch.Size([5, 2])

    Reference:
        Lim, Ye. Geometric GAN. 2017. arXiv 1705.02894.
    """

    title: ClassVar[str] = "Hinge GAN"
    paper: ClassVar[str] = "Lim and Ye 2017, Algorithm 1"
    known_failures: ClassVar[dict[str, str]] = {
        "parameters": "discriminator.head.bias: has no gradient as long as all scores lie within the margin",
    }
    presets: ClassVar[dict[str, Any]] = {"game": "hinge", "penalty": ("r1",), "gamma": 0.1}
