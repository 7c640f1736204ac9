"""Spectrally normalised GAN: a discriminator whose layers are all 1-Lipschitz."""

from typing import Any, ClassVar

from nacre.models.gans.gan import GAN


class SNGAN(GAN):
    """The hinge game between residual networks, every weight of the discriminator divided by its spectral norm.

    W <- W / sigma(W), where sigma is the largest singular value, followed by one power iteration per step.
    Discriminator: E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]. Generator: -E[D(G(z))].

    Algorithm: 1.

    Args:
        network: resnet as in the paper's section 4.2; conv for the smaller of its two networks; auto takes dense layers
            for small data.
        n_critic: Discriminator steps per generator step; 5 in the paper, with residual networks.

    Shapes:
        sample: (n, *shape).

    Departures:
        Images of any size: maps are halved until they are about 4 wide. auto takes strided convolutions.

    Example:
        >>> import nacre
        >>> from nacre.data.spec import Spec
        >>> nacre.create("sngan", Spec.image(3, 16, 16), network="resnet", channels=8).sample(2, seed=0).shape
        torch.Size([2, 3, 16, 16])

    Reference:
        Miyato, Kataoka, Koyama, Yoshida. Spectral Normalization for Generative Adversarial Networks. 2018.
        arXiv 1802.05957.
    """

    title: ClassVar[str] = "Spectrally normalised GAN"
    paper: ClassVar[str] = "Miyato et al. 2018, Algorithm 1 and section 4"
    defaults: ClassVar[dict[str, object]] = {"lr": 2e-4, "betas": (0.0, 0.9), "batch_size": 64}
    known_failures: ClassVar[dict[str, str]] = {
        "accumulation": "every micro-batch takes a power iteration of its own",
    }
    presets: ClassVar[dict[str, Any]] = {"game": "hinge", "spectral_norm": True, "batch_norm": "generator"}
