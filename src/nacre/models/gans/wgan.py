"""Wasserstein GAN: a critic kept Lipschitz by clipped weights."""

from typing import Any, ClassVar

from nacre.models.gans.gan import GAN


class WGAN(GAN):
    """Minimise the Wasserstein-1 distance, up to the Lipschitz constant that clipped weights leave the critic.

    Critic: E[f(G(z))] - E[f(x)], then w <- clip(w, -c, c). Generator: -E[f(G(z))].

    Algorithm: 1.

    Args:
        n_critic: Critic steps per generator step; 5 in the paper.
        weight_clip: c; 0.01 in the paper.

    Shapes:
        sample: (n, *shape).

    Departures:
        Batch norm only in the generator. The critic's last layer has no bias: no term of the objective sees it.

    Example:
        >>> import nacre
        >>> nacre.create("wgan", nacre.load_data("ring").spec).sample(5, seed=0).shape
        torch.Size([5, 2])

    Reference:
        Arjovsky, Chintala, Bottou. Wasserstein Generative Adversarial Networks. 2017. arXiv 1701.07875.
    """

    title: ClassVar[str] = "Wasserstein GAN"
    paper: ClassVar[str] = "Arjovsky et al. 2017, Algorithm 1"
    defaults: ClassVar[dict[str, object]] = {"lr": 5e-5, "optimizer": "rmsprop", "batch_size": 64}
    presets: ClassVar[dict[str, Any]] = {
        "game": "wasserstein", "n_critic": 5, "weight_clip": 0.01, "batch_norm": "generator",
    }  # fmt: skip
