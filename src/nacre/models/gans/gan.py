"""Generative adversarial network: a generator against a discriminator that tells its samples from real ones."""

from typing import ClassVar, Literal

from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.game import Batch, Turn
from nacre.losses.adversarial import GENERATOR_COSTS, discriminator_cost
from nacre.model import Model, inference
from nacre.nets.mlp import mlp
from nacre.nets.scale import FromData, ToData


class GAN(Model):
    """Play min_G max_D E[log D(x)] + E[log(1 - D(G(z)))], or give the generator a cost with a better gradient.

    Generator costs: minimax E[log(1 - D(G(z)))], non-saturating -E[log D(G(z))],
    maximum-likelihood -E[D(G(z)) / (1 - D(G(z)))].

    Algorithm: 1, with k steps of the discriminator for one of the generator.

    Args:
        spec: The data.
        latent: Size of z ~ N(0, I), 1 or more.
        hidden: Units of both networks' hidden layers, from the latent outwards.
        cost: The generator's cost.
        k: Discriminator steps per generator step, 1 or more, each on a fresh batch.

    Shapes:
        sample: (n, *shape).

    Departures:
        Leaky ReLU instead of maxout and no dropout; Adam instead of momentum; Gaussian instead of uniform noise;
        the costs are computed from logits, so that no gradient vanishes or overflows by rounding.

    Example:
        >>> import nacre
        >>> model = nacre.create("gan", nacre.load_data("ring").spec, cost="minimax", k=2)
        >>> model.sample(5, seed=0).shape
        torch.Size([5, 2])

    Reference:
        Goodfellow et al. Generative Adversarial Nets. 2014. arXiv 1406.2661.
        Goodfellow. On distinguishability criteria for estimating generative models. 2014. arXiv 1412.6515 (the
        maximum-likelihood cost).
    """

    title: ClassVar[str] = "Generative adversarial network"
    paper: ClassVar[str] = "Goodfellow et al. 2014, Algorithm 1"
    defaults: ClassVar[dict[str, object]] = {"lr": 2e-4, "betas": (0.5, 0.999)}

    def __init__(
        self,
        spec: Spec,
        latent: int = 64,
        hidden: tuple[int, ...] = (256, 256),
        cost: Literal["minimax", "non-saturating", "maximum-likelihood"] = "non-saturating",
        k: int = 1,
    ) -> None:
        super().__init__(spec)
        at_least(1, latent=latent, hidden=hidden, k=k)
        self.latent, self.cost, self.k = latent, cost, k
        self.generator: nn.Module = nn.Sequential(mlp([latent, *hidden, spec.size], "leaky-relu"), ToData(spec))
        self.discriminator: nn.Module = nn.Sequential(
            FromData(spec), nn.Flatten(), mlp([spec.size, *reversed(hidden), 1], "leaky-relu")
        )

    def turns(self) -> list[Turn]:
        """K turns of the discriminator, then one of the generator."""
        return [
            Turn(self.discriminator, self.discriminator_loss, repeat=self.k),
            Turn(self.generator, self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """-E[log D(x)] - E[log(1 - D(G(z)))]."""
        fake = self.generator(self.noise(len(batch)))
        return discriminator_cost(self.discriminator(batch.x), self.discriminator(fake))

    def generator_loss(self, batch: Batch) -> Tensor:
        """The chosen cost of the generator on fresh samples."""
        return GENERATOR_COSTS[self.cost](self.discriminator(self.generator(self.noise(len(batch)))))

    @inference
    def sample(self, n: int) -> Tensor:
        """G(z) for n draws of z, shape (n, *shape)."""
        return self.generator(self.noise(n))

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """G(z), shape (n, *shape)."""
        return self.generator(z)
