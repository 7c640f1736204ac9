"""Least-squares GAN: scores are pulled to 1 and 0 instead of being classified."""

from typing import Any, ClassVar

from nacre.models.gans.gan import GAN


class LSGAN(GAN):
    """The discriminator regresses 1 for real and 0 for made examples; the generator wants 1.

    Discriminator: E[(D(x) - 1)^2] + E[D(G(z))^2]. Generator: E[(D(G(z)) - 1)^2]. An example on the right side but far
    from the boundary still has a gradient, and under an optimal discriminator for targets -1, 1 and 0 the generator
    minimises the Pearson chi-squared divergence of p_data + p_model from 2 p_model.

    Args:
        game: least-squares, with the targets 0, 1, 1 of the paper's equation 9.

    Shapes:
        sample: (n, *shape).

    Departures:
        No factor of 1/2, as everywhere in `nacre.losses.adversarial`. Batch norm only in the generator: in the
        discriminator it would tie the scores of a batch together.

    Example:
        >>> import nacre
        >>> nacre.create("lsgan", nacre.load_data("ring").spec).sample(5, seed=0).shape
        torch.Size([5, 2])

    Reference:
        Mao et al. Least Squares Generative Adversarial Networks. 2017. arXiv 1611.04076.
    """

    title: ClassVar[str] = "Least-squares GAN"
    paper: ClassVar[str] = "Mao et al. 2017, equation 9"
    presets: ClassVar[dict[str, Any]] = {"game": "least-squares", "batch_norm": "generator"}
