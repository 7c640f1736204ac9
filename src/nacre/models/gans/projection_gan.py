"""Projection GAN: the discriminator takes the inner product of the example's features and the condition's embedding."""

from typing import Any, ClassVar

from torch import nn

from nacre.errors import NacreError
from nacre.models.gans.cgan import CGAN
from nacre.nets.heads import Projection


class ProjectionGAN(CGAN):
    """The hinge game with D(x, c) = w . phi(x) + b + <V c, phi(x)>, every weight divided by its spectral norm.

    The log ratio log p(x, c) / q(x, c) = log p(c|x) / q(c|x) + log p(x) / q(x) has this form where log p(c|x) and
    log q(c|x) are linear in the features phi. Discriminator: E[max(0, 1 - D(x, c))] + E[max(0, 1 + D(G(z, c), c))].
    Generator: -E[D(G(z, c), c)].

    Algorithm: section 3, equation 4, played as in `sngan`.

    Args:
        latent: Size of z alone.
        n_critic: Discriminator steps per generator step; 5 in the paper.

    Shapes:
        sample: n -> (n, *shape). decode: (n, latent) -> (n, *shape). Both take `labels` and `attributes`.

    Departures:
        The generator takes one-hot labels beside z, whose first layer embeds them, instead of class-conditional batch
        norms (`biggan` has them). Standardised attributes are embedded by V as well. Strided convolutions where the
        paper has residual networks; --network resnet takes these.

    Example:
        >>> import nacre
        >>> model = nacre.create("projection-gan", nacre.load_data("digits").spec, hidden=(32,))
        >>> model.sample(3, seed=0, labels=[7, 7, 1]).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Miyato, Koyama. cGANs with projection discriminator. 2018. arXiv 1802.05637.
    """

    title: ClassVar[str] = "GAN with a projection discriminator"
    paper: ClassVar[str] = "Miyato and Koyama 2018, equation 4"
    defaults: ClassVar[dict[str, object]] = {"lr": 2e-4, "betas": (0.0, 0.9), "batch_size": 64}
    known_failures: ClassVar[dict[str, str]] = {
        "accumulation": "every micro-batch takes a power iteration of its own",
    }
    presets: ClassVar[dict[str, Any]] = {"game": "hinge", "spectral_norm": True, "batch_norm": "generator"}

    def make_discriminator(self) -> nn.Module:
        """D: (n, *shape), (n, told) -> (n, 1)."""
        if self.pack > 1:
            raise NacreError("a projection discriminator judges each example by its own conditions; use --pack 1.")
        judge = self.scorer()
        return Projection(judge, nn.Linear(self.conditions.width, judge.features, bias=False))
