"""PacGAN: a discriminator that judges several examples at once sees that they are alike."""

from typing import Any, ClassVar

from nacre.models.gans.gan import GAN


class PacGAN(GAN):
    """The game of `gan` with a discriminator D(x_1, ..., x_m) of m examples that are all real or all made.

    Two distributions that differ in their modes differ more as products p^m, so that collapse costs the generator more.

    Args:
        pack: m; the paper takes 2 to 4.

    Shapes:
        sample: (n, *shape).

    Departures:
        The batch is cut into packs, so that the discriminator sees batch_size / m of them and no further data are
        drawn.

    Example:
        >>> import nacre
        >>> nacre.create("pacgan", nacre.load_data("ring").spec, pack=4).sample(5, seed=0).shape
        torch.Size([5, 2])

    Reference:
        Lin, Khetan, Fanti, Oh. PacGAN: the power of two samples in generative adversarial networks. 2018.
        arXiv 1712.04086.
    """

    title: ClassVar[str] = "GAN with a packed discriminator"
    paper: ClassVar[str] = "Lin et al. 2018, section 2"
    presets: ClassVar[dict[str, Any]] = {"pack": 2}
