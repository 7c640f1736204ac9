"""Progressive growing: both networks begin with tiny images and add finer levels while they train."""

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch, Phase
from nacre.losses.adversarial import GameName
from nacre.model import inference
from nacre.models.gans.gan import GAN, Penalty
from nacre.nets.progressive import GrowingDiscriminator, GrowingGenerator, levels
from nacre.nets.pyramid import enlarge, shrunk


class ProgressiveGAN(GAN):
    """The game of `gan` at 4 x 4 pixels, then at twice that, and so on up to the images' own size.

    A new level fades in: for alpha = 0 ... 1 the generator shows (1 - alpha) enlarge(old(h)) + alpha new(block(h)), and
    the discriminator looks at (1 - alpha) old(shrink(x)) + alpha shrink(block(new(x))), so that at alpha = 0 both are
    the networks that were there before. Then the level stays for a while and the next one fades in. Weights are
    N(0, 1) times sqrt(2 / fan in) at run time, the generator normalises every pixel, the discriminator sees the
    deviation within the minibatch.

    Algorithm: sections 2 to 4 and figure 2.

    Args:
        spec: Images of any size.
        latent: Size of z ~ N(0, I), 1 or more; z is normalised first.
        channels: Channels of the finest level; doubled at every halving, up to eightfold.
        game: What both players minimise; with wasserstein, --penalty two-sided --gamma 10 it is the paper's WGAN-GP.
        last: How long the finished networks train on, in units of one fade or one stay, above 0.
        growing: Whether the networks grow; otherwise they play with all levels from the start.

    Shapes:
        sample: (n, c, h, w).

    Departures:
        Non-saturating with R1 instead of WGAN-GP, and no drift term. A side n is halved to ceil(n / 2), so that any
        image size works. The generator's output goes through tanh. The average of the weights begins anew with every
        level.

    Example:
        >>> import nacre
        >>> model = nacre.create("progressive-gan", nacre.load_data("digits").spec, channels=4)
        >>> [phase.name for phase in model.phases()]
        ['4 x 4', 'fade in 8 x 8', '8 x 8']

    Reference:
        Karras, Aila, Laine, Lehtinen. Progressive Growing of GANs for Improved Quality, Stability, and Variation.
        2018. arXiv 1710.10196.
    """

    title: ClassVar[str] = "Progressive growing of GANs"
    paper: ClassVar[str] = "Karras et al. 2018, sections 2 to 4"
    known_failures: ClassVar[dict[str, str]] = {
        "accumulation": "the deviation is taken within the micro-batch, not the batch",
        "two processes": "the deviation is taken within one process's share of the batch",
    }
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "betas": (0.0, 0.99), "batch_size": 64}

    def __init__(
        self,
        spec: Spec,
        latent: int = 64,
        channels: int = 32,
        game: GameName = "non-saturating",
        n_critic: int = 1,
        penalty: tuple[Penalty, ...] = ("r1",),
        gamma: float = 1.0,
        lazy: int = 1,
        minibatch_std: bool = True,
        last: float = 1.0,
        growing: bool = True,
    ) -> None:
        self.refuse_all_but_images(spec, "gan")
        if last <= 0:
            raise NacreError(f"last is {last}; it must be above 0.")
        super().__init__(
            spec, latent, channels=channels, network="conv", game=game, n_critic=n_critic, penalty=penalty,
            gamma=gamma, lazy=lazy, minibatch_std=minibatch_std,
        )  # fmt: skip
        self.sizes, self.widths = levels(spec, channels)
        self.last, self.growing = last, growing
        self.grow(len(self.sizes) - 1, fading=False)

    def make_generator(self) -> GrowingGenerator:
        """G: (n, latent) -> images of a level."""
        return GrowingGenerator(self.spec, self.latent, self.channels)

    def make_discriminator(self) -> GrowingDiscriminator:
        """D: images of a level -> (n, 1)."""
        return GrowingDiscriminator(self.spec, self.channels, self.minibatch_std, self.rules.shifts)

    def layers(self) -> list[str]:
        """The levels, from the coarsest to the finest."""
        return [f"{h} x {w}  {c} channels" for (h, w), c in zip(self.sizes, self.widths, strict=True)]

    # Growth

    def phases(self) -> list[Phase]:
        """The coarsest level; then for every level a phase in which it fades in, and one in which it stays."""
        finest = len(self.sizes) - 1
        growth = [(0, False), *((level, fading) for level in range(1, finest + 1) for fading in (True, False))]
        stages = growth if self.growing else [(finest, False)]
        return [
            Phase(
                ("fade in " if fading else "") + "{} x {}".format(*self.sizes[level]),
                self.turns,
                self.last if (level, fading) == stages[-1] else 1.0,
                enter=partial(self.grow, level, fading),
                prepare=self.resized if level < finest else None,
                keep_optimizers=self.growing and level > 0 and not fading,
            )
            for level, fading in stages
        ]

    def grow(self, level: int, fading: bool) -> None:
        """Play with the levels up to this one, which fades in or is there for good."""
        self.level, self.fading = level, fading

    def resized(self, batch: Batch) -> Batch:
        """The batch with its images at the level's size."""
        return Batch({**batch, "x": shrunk(batch.x, self.sizes[self.level])})

    @property
    def alpha(self) -> Tensor | None:
        """How far the level has faded in: the share of the phase that is done."""
        return self.progress if self.fading else None

    def made(self, z: Tensor, told: Tensor | None) -> Tensor:
        """G(z), images of the level."""
        return self.generator(z, self.level, self.alpha)

    def score(self, x: Tensor, told: Tensor | None) -> Tensor:
        """What the discriminator says of images of the level, (n, 1)."""
        return self.discriminator(self.seen(x), self.level, self.alpha)

    def get_extra_state(self) -> Tensor:
        """How far it has grown, to be saved with the weights: level, whether it fades in, and how far."""
        grown = torch.tensor([float(self.level), float(self.fading)])
        return torch.cat([grown, self.progress.cpu().reshape(1)])

    def set_extra_state(self, state: Tensor) -> None:
        """Grow as far as the saved weights had."""
        level, fading, progress = state.tolist()
        self.grow(int(level), bool(fading))
        self.progress.fill_(progress)

    # What a user calls

    @inference
    def sample(self, n: int) -> Tensor:
        """G(z) for n draws of z, enlarged to the images' own size while that is still to come, (n, c, h, w)."""
        return self.enlarged(self.made(self.noise(n), None))

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """G(z), likewise, (n, c, h, w)."""
        return self.enlarged(self.made(z, None))

    def enlarged(self, x: Tensor) -> Tensor:
        """Images of the level at the full size."""
        for size in self.sizes[self.level + 1 :]:
            x = enlarge(x, size)
        return x
