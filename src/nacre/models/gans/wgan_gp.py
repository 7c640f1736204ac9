"""Wasserstein GAN with gradient penalty: a critic kept 1-Lipschitz by the norm of its input gradient."""

from typing import ClassVar

from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.game import Batch, Turn
from nacre.losses.adversarial import wasserstein_critic, wasserstein_generator
from nacre.losses.penalties import gradient_penalty
from nacre.model import Model, inference
from nacre.nets import coder
from nacre.nets.scale import FromData, ToData


class WGANGP(Model):
    """Minimise the Wasserstein-1 distance as an almost 1-Lipschitz critic estimates it.

    Critic: E[f(G(z))] - E[f(x)] + lambda E[(|grad f(x')| - 1)^2] with x' uniformly between x and G(z).
    Generator: -E[f(G(z))].

    Algorithm: 1.

    Args:
        spec: The data.
        latent: Size of z ~ N(0, I), 1 or more.
        hidden: Units of both dense networks' hidden layers, from the latent outwards; unused by convolutions.
        channels: Channels of the finest convolutional map; unused by dense networks.
        network: Dense, convolutional, or by the data's shape.
        n_critic: Critic steps per generator step, each on a fresh batch; 5 in the paper.
        penalty: lambda, the weight of the penalty; 10 in the paper.

    Shapes:
        sample: (n, *shape).

    Departures:
        The critic's last layer has no bias: no term of the objective sees it. The critic sees images in [-1, 1].

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

    def __init__(
        self,
        spec: Spec,
        latent: int = 64,
        hidden: tuple[int, ...] = (512, 512),
        channels: int = 64,
        network: coder.Network = "auto",
        n_critic: int = 5,
        penalty: float = 10.0,
    ) -> None:
        super().__init__(spec)
        at_least(1, latent=latent, hidden=hidden, channels=channels, n_critic=n_critic)
        at_least(0, penalty=penalty)
        self.latent, self.n_critic, self.penalty = latent, n_critic, penalty
        inwards = tuple(reversed(hidden))
        self.generator = nn.Sequential(coder.decoder(spec, latent, inwards, channels, network, "relu"), ToData(spec))
        critic = coder.encoder(spec, 1, inwards, channels, network, "leaky-relu", bias_last=False)
        self.critic = nn.Sequential(FromData(spec), critic)

    def turns(self) -> list[Turn]:
        """n_critic turns of the critic, then one of the generator."""
        return [
            Turn(self.critic, self.critic_loss, repeat=self.n_critic, compile=False),
            Turn(self.generator, self.generator_loss),
        ]

    def critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        """E[f(G(z))] - E[f(x)] and the penalty."""
        fake = self.generator(self.noise(len(batch)))
        return {
            "wasserstein": wasserstein_critic(self.critic(batch.x), self.critic(fake)),
            "penalty": self.penalty * gradient_penalty(self.critic, batch.x, fake),
        }

    def generator_loss(self, batch: Batch) -> Tensor:
        """-E[f(G(z))]."""
        return wasserstein_generator(self.critic(self.generator(self.noise(len(batch)))))

    @inference
    def sample(self, n: int) -> Tensor:
        """G(z) for n draws of z, shape (n, *shape)."""
        return self.generator(self.noise(n))

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """G(z), shape (n, *shape)."""
        return self.generator(z)
