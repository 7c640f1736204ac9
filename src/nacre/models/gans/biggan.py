"""BigGAN: residual networks with class-conditional batch norm, self-attention and spectral norms in both players."""

from typing import ClassVar, cast

from torch import Tensor, nn

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.game import Batch
from nacre.losses.adversarial import GameName
from nacre.losses.orthogonal import orthogonal_penalty
from nacre.model import inference
from nacre.models.gans.gan import GAN
from nacre.nets.augment import Kind
from nacre.nets.biggan import BigGANGenerator
from nacre.nets.conditions import Conditions, Labels
from nacre.nets.dcgan import orthogonal
from nacre.nets.heads import BigGANDiscriminator, Projection
from nacre.nets.norms import spectral
from nacre.nets.scale import ToData


class BigGAN(GAN):
    """The hinge game between deep residual networks that are told the class y.

    D(x, y) = w . phi(x) + b + <e(y), phi(x)>; in G every block's norm is scaled and shifted by linear maps of the
    class's embedding, which all blocks share, and of a chunk of z. Discriminator: E[max(0, 1 - D(x, y))] +
    E[max(0, 1 + D(G(z, y), y))]. Generator: -E[D(G(z, y), y)] + beta |W W' * (1 - I)|_F^2 over its layers. Every weight
    of both but the shared embedding is divided by its largest singular value. Truncating z (`nacre sample
    --truncation`) trades variety for quality.

    Algorithm: appendices B and C; the averaged generator's batch statistics are taken anew after training.

    Args:
        spec: Images; without labels the game is unconditional.
        latent: Size of z, 1 or more; with skip_z at least one more than there are blocks.
        channels: Channels of the finest map.
        game: What both players minimise.
        n_critic: Discriminator steps per generator step, each on a fresh batch, 1 or more.
        embedding: Size of a class's embedding, 1 or more.
        skip_z: Whether chunks of z enter at every block, else all of it at the first layer.
        attention: Whether the middle map of each network attends to itself, where it is 8 wide or more.
        orthogonality: beta, 0 or more.
        spectral_norm: Divide every weight of both players by its largest singular value, but the generator's embedding.
        augment: Differentiable augmentations of all that the discriminator sees.
        adaptive: Augment only with the probability that keeps the discriminator from overfitting.

    Shapes:
        sample: n -> (n, c, h, w). decode: (n, latent) -> (n, c, h, w). Both take `labels`.

    Departures:
        Images of any size: maps are halved until they are about 4 wide. Small batches, so one learning rate of 2e-4 for
        both players. No batch statistics across processes.

    Example:
        >>> import nacre
        >>> model = nacre.create("biggan", nacre.load_data("digits").spec, channels=4)
        >>> model.sample(3, seed=0, labels=[7, 7, 1]).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Brock, Donahue, Simonyan. Large scale GAN training for high fidelity natural image synthesis. 2019.
        arXiv 1809.11096.
    """

    title: ClassVar[str] = "BigGAN"
    paper: ClassVar[str] = "Brock et al. 2019, appendices B and C"
    defaults: ClassVar[dict[str, object]] = {"lr": 2e-4, "betas": (0.0, 0.999), "batch_size": 64}
    known_failures: ClassVar[dict[str, str]] = {
        "accumulation": "every micro-batch takes a power iteration and batch statistics of its own",
        "two processes": "batch statistics are those of one process's share of the batch",
    }

    def __init__(
        self,
        spec: Spec,
        latent: int = 64,
        channels: int = 64,
        game: GameName = "hinge",
        n_critic: int = 2,
        embedding: int = 128,
        skip_z: bool = True,
        attention: bool = True,
        orthogonality: float = 1e-4,
        spectral_norm: bool = True,
        augment: tuple[Kind, ...] = (),
        adaptive: bool = False,
    ) -> None:
        at_least(0, orthogonality=orthogonality)
        at_least(1, embedding=embedding)
        self.refuse_all_but_images(spec, "projection-gan")
        if spec.attributes:
            raise NacreError("biggan is told labels but no attributes; use projection-gan.")
        self.embedding, self.skip_z, self.attention = embedding, skip_z, attention
        self.orthogonality = orthogonality
        super().__init__(
            spec, latent, channels=channels, game=game, n_critic=n_critic, spectral_norm=spectral_norm,
            augment=augment, adaptive=adaptive,
        )  # fmt: skip

    # The networks

    def make_generator(self) -> nn.Module:
        """G: z (n, latent), y (n,) -> unbounded images."""
        self.conditions = Conditions(self.spec, needed=False)  # remembers the classes' shares
        self.to_data = ToData(self.spec)
        return BigGANGenerator(
            self.latent, self.spec.shape, self.spec.classes, self.channels, self.embedding, self.skip_z, self.attention
        )

    def make_discriminator(self) -> nn.Module:
        """D: (n, c, h, w), y (n,) -> (n, 1)."""
        judge = BigGANDiscriminator(self.spec, self.channels, self.attention, self.rules.shifts)
        labelled = bool(self.spec.classes)
        net = Projection(judge, nn.Embedding(len(self.spec.classes), judge.features)) if labelled else judge
        return net.apply(orthogonal)

    def initialise(self) -> None:
        """Bind the spectral norms of both players."""
        super().initialise()
        if self.spectral_norm:
            spectral(self.generator, but=cast(BigGANGenerator, self.generator).free())

    # The game

    def begin(self, data: Data) -> None:
        """Remember labels to draw from."""
        self.conditions.begin(data)

    def told(self, batch: Batch) -> Tensor | None:
        """The labels, if there are any."""
        return batch.y if self.spec.classes else None

    def made(self, z: Tensor, told: Tensor | None) -> Tensor:
        """G(z, y)."""
        return self.to_data(self.generator(z, told))

    def score(self, x: Tensor, told: Tensor | None) -> Tensor:
        """D(x, y)."""
        return self.discriminator(self.seen(x), *([] if told is None else [told]))

    def further(self, real: Tensor | None, fake: Tensor, told: Tensor | None) -> dict[str, Tensor]:
        """The generator's orthogonality."""
        if real is not None or not self.orthogonality:
            return {}
        return {"orthogonality": self.orthogonality * orthogonal_penalty(self.generator)}

    def inputs(self, n: int) -> Tensor | tuple[Tensor, ...]:
        """Draws of z with the labels of random training examples."""
        z, y = self.noise(n), self.asked(n)
        return z if y is None else (z, y)

    # What a user calls

    def asked(self, n: int, labels: Labels = None, alike: bool = False) -> Tensor | None:
        """The labels asked for, or those of random training examples, or of one for all; None without classes."""
        y, _ = self.conditions.completed(n, labels, alike=alike)
        return y if self.spec.classes else None

    @inference
    def sample(self, n: int, labels: Labels = None) -> Tensor:
        """G(z, y) for n draws of z, shape (n, c, h, w).

        Args:
            n: How many.
            labels: A class by number or name, or one for each example; those of random training examples else.

        Raises:
            NacreError: There is no such class.
        """
        return self.made(self.noise(n), self.asked(n, labels))

    @inference
    def decode(self, z: Tensor, labels: Labels = None) -> Tensor:
        """G(z, y), shape (n, c, h, w); without labels all are of one class, always the same."""
        return self.made(z, self.asked(len(z), labels, alike=True))
