"""R3GAN: a relativistic game with zero-centred penalties on both sides, which converges without tricks."""

from typing import Any, ClassVar

from nacre.models.gans.gan import GAN


class R3GAN(GAN):
    """Every real example shall score higher than the made one beside it, under R1 and R2.

    Discriminator: E[softplus(D(G(z)) - D(x))] + gamma / 2 (E[|grad D(x)|^2] + E[|grad D(G(z))|^2]).
    Generator: E[softplus(D(x) - D(G(z)))]. The pairs leave no state in which all samples lie on one side of a boundary
    with nothing to gain, and the penalties make the game converge locally.

    Args:
        gamma: The weight of R1 and R2. It has to fit the data: within a mode of deviation s the discriminator's slope
            is of size 1 / s, so that narrow modes want a small one.

    Shapes:
        sample: (n, *shape).

    Departures:
        The networks are those of `gan`, not the paper's grouped convolutions without normalisation.

    Example:
        >>> import nacre
        >>> nacre.create("r3gan", nacre.load_data("ring").spec).sample(5, seed=0).shape
        torch.Size([5, 2])

    Reference:
        Huang, Gokaslan, Kuleshov, Tompkin. The GAN is dead; long live the GAN! A modern GAN baseline. 2024.
        arXiv 2501.05441.
        Jolicoeur-Martineau. The relativistic discriminator. 2019. arXiv 1807.00734.
    """

    title: ClassVar[str] = "Relativistic GAN with R1 and R2"
    paper: ClassVar[str] = "Huang et al. 2024, equation 2"
    defaults: ClassVar[dict[str, object]] = {"lr": 2e-4, "betas": (0.0, 0.99)}
    presets: ClassVar[dict[str, Any]] = {"game": "relativistic", "penalty": ("r1", "r2"), "gamma": 0.1}
