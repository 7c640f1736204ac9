"""Wasserstein GAN with gradient penalty: a critic kept 1-Lipschitz by the norm of its input gradient."""

from typing import Any, ClassVar

from nacre.models.gans.gan import GAN


class WGANGP(GAN):
    """Minimise the Wasserstein-1 distance as an almost 1-Lipschitz critic estimates it.

    Critic: E[f(G(z))] - E[f(x)] + gamma E[(|grad f(x')| - 1)^2] with x' uniformly between x and G(z).
    Generator: -E[f(G(z))].

    Algorithm: 1.

    Args:
        n_critic: Critic steps per generator step, each on a fresh batch; 5 in the paper.
        penalty: two-sided as in the paper; one-sided charges only gradients longer than 1.
        gamma: The weight of the penalty, lambda in the paper, where it is 10.

    Shapes:
        sample: (n, *shape).

    Departures:
        The critic's last layer has no bias: no term of the objective sees it. The critic sees images in [-1, 1]. No
        batch norm in the generator.

    Example:
        >>> import nacre
        >>> nacre.create("wgan-gp", nacre.load_data("digits").spec, n_critic=3).sample(2, seed=0).shape
        torch.Size([2, 1, 8, 8])

    Reference:
        Gulrajani et al. Improved Training of Wasserstein GANs. 2017. arXiv 1704.00028.
    """

    title: ClassVar[str] = "Wasserstein GAN with gradient penalty"
    paper: ClassVar[str] = "Gulrajani et al. 2017, Algorithm 1"
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-4, "betas": (0.0, 0.9), "batch_size": 64}
    presets: ClassVar[dict[str, Any]] = {
        "game": "wasserstein", "n_critic": 5, "penalty": ("two-sided",), "gamma": 10.0, "hidden": (512, 512),
    }  # fmt: skip
