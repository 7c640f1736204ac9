"""Laplacian pyramid of GANs: a small image first, then a game per level for the detail that is missing."""

from dataclasses import replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.game import Batch, Turn
from nacre.losses.adversarial import GAMES, GameName
from nacre.losses.penalties import gradients
from nacre.model import Model, inference
from nacre.nets import adversarial
from nacre.nets.dcgan import widths
from nacre.nets.pyramid import Detail, expand, gaussian


class LAPGAN(Model):
    """A Laplacian pyramid of images, every level of which is drawn by a generator of its own, coarse to fine.

    With I_0 = x, I_{k+1} = shrink(I_k) and l_k = enlarge(I_{k+1}), generator k draws the residual h_k of
    I_k = l_k + h_k given l_k, and discriminator k tells (l_k + h_k, l_k) with a real residual from one with a drawn
    one. The coarsest level is a plain game for I_K. The levels are games of their own, whose coarse images are real in
    training; in sampling they are those that the level below has drawn.

    Algorithm: section 3.2 and figures 1 and 2.

    Args:
        spec: Images of any size.
        latent: Size of z_k ~ N(0, I) of every level, 1 or more.
        hidden: Units of both dense networks' hidden layers at the coarsest level, from the latent outwards.
        channels: Channels of the finest level's generator and of its discriminator's first layer; doubled at every
            coarser level, up to eightfold.
        levels: K, the number of residuals; 0 takes as many as leave at most 8 pixels, and at least 1.
        game: What both players minimise at every level.
        gamma: Weight of R1, gamma / 2 E[|grad D_k(I_k)|^2] at real images; 0 plays without.

    Shapes:
        sample: (n, c, h, w). decode: (n, (K + 1) latent) -> (n, c, h, w).

    Departures:
        Strided convolutions without dropout in the discriminators, leaky ReLU without batch norm in the generators,
        and twice as many filters at every coarser level. Means of 2 x 2 pixels shrink and bilinear interpolation
        enlarges. R1, without which the levels do not settle. Noise enters every level as a linear plane of a Gaussian
        z_k. Adam instead of momentum. No classes.

    Example:
        >>> import nacre
        >>> model = nacre.create("lapgan", nacre.load_data("digits").spec, latent=16, channels=8)
        >>> model.sizes, model.sample(2, seed=0).shape
        ([(8, 8), (4, 4)], torch.Size([2, 1, 8, 8]))

    Reference:
        Denton, Chintala, Szlam, Fergus. Deep Generative Image Models using a Laplacian Pyramid of Adversarial
        Networks. 2015. arXiv 1506.05751.
    """

    title: ClassVar[str] = "Laplacian pyramid of GANs"
    paper: ClassVar[str] = "Denton et al. 2015, section 3.2"
    defaults: ClassVar[dict[str, object]] = {"lr": 2e-4, "betas": (0.0, 0.99), "batch_size": 64}

    def __init__(
        self,
        spec: Spec,
        latent: int = 32,
        hidden: tuple[int, ...] = (512, 512),
        channels: int = 32,
        levels: int = 0,
        game: GameName = "non-saturating",
        gamma: float = 0.1,
    ) -> None:
        super().__init__(spec)
        self.refuse_all_but_images(spec, "gan")
        at_least(1, latent=latent, hidden=hidden, channels=channels)
        at_least(0, levels=levels, gamma=gamma)
        self.sizes = sizes(spec, levels)
        self.rules, self.game, self.gamma = GAMES[game], game, gamma
        self.width, self.latent = latent, latent * len(self.sizes)
        *fine, coarsest = [replace(spec, shape=(spec.shape[0], *size)) for size in self.sizes]
        both = [replace(level, shape=(2 * level.shape[0], *level.shape[1:])) for level in fine]
        judge = partial(adversarial.Discriminator, bias=self.rules.shifts)
        wide = widths(channels, len(fine))
        self.generators = nn.ModuleList(Detail(level, latent, w) for level, w in zip(fine, wide, strict=True))
        self.discriminators = nn.ModuleList(judge(pair, "conv", (), w) for pair, w in zip(both, wide, strict=True))
        self.generators.append(adversarial.generator(coarsest, latent, "dense", hidden, channels))
        self.discriminators.append(judge(coarsest, "dense", tuple(reversed(hidden)), channels))

    def layers(self) -> list[str]:
        """The levels, from the finest to the coarsest."""
        return [f"I_{k}  {h} x {w}" for k, (h, w) in enumerate(self.sizes)]

    def turns(self) -> list[Turn]:
        """For every level, from the coarsest, a turn of its discriminator and one of its generator."""
        return [
            turn
            for k in reversed(range(len(self.sizes)))
            for turn in (
                Turn(self.discriminators[k], partial(self.discriminator_loss, k), compile=not self.gamma),
                Turn(self.generators[k], partial(self.generator_loss, k)),
            )
        ]

    def discriminator_loss(self, k: int, batch: Batch) -> dict[str, Tensor]:
        """The discriminator's cost of level k, and R1."""
        real, coarse = self.level(k, batch.x)
        real = real.detach().requires_grad_(self.gamma > 0)
        fake = self.made(k, self.level_noise(len(batch)), coarse)
        scores = self.score(k, real, coarse)
        terms = {self.game: self.rules.discriminator(scores, self.score(k, fake, coarse))}
        if self.gamma:
            terms["r1"] = self.gamma / 2 * gradients(scores, [real])[0].square().sum(1).mean()
        return terms

    def generator_loss(self, k: int, batch: Batch) -> dict[str, Tensor]:
        """The generator's cost of level k, on fresh samples."""
        real, coarse = self.level(k, batch.x)
        fake = self.score(k, self.made(k, self.level_noise(len(batch)), coarse), coarse)
        return {self.game: self.rules.generator(*([self.score(k, real, coarse)] if self.rules.paired else []), fake)}

    def level(self, k: int, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """I_k and l_k of images; the coarsest level has no l."""
        images = gaussian(x, min(k + 1, len(self.sizes) - 1))
        return images[k], expand(images[k + 1], self.sizes[k]) if k + 1 < len(self.sizes) else None

    def made(self, k: int, z: Tensor, coarse: Tensor | None) -> Tensor:
        """I_k = l_k + G_k(z_k, l_k), or I_K = G_K(z_K)."""
        generator = self.generators[k]
        return generator(z) if coarse is None else coarse + generator(z, coarse)

    def score(self, k: int, x: Tensor, coarse: Tensor | None) -> Tensor:
        """What discriminator k says of images beside what they were made from, (n, 1)."""
        return self.discriminators[k](x if coarse is None else torch.cat([x, coarse], 1))

    def level_noise(self, n: int) -> Tensor:
        """N draws of one level's z, (n, latent)."""
        return torch.randn(n, self.width, device=self.device)

    @inference
    def sample(self, n: int) -> Tensor:
        """N images, drawn from the coarsest level to the finest, shape (n, c, h, w)."""
        return self.drawn(self.noise(n))

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """The image of the latents z_0, ..., z_K of all levels, shape (n, c, h, w)."""
        return self.drawn(z)

    def drawn(self, z: Tensor) -> Tensor:
        """The coarsest image, then level by level its detail; every level in the data's range."""
        x = None
        for k, part in reversed(list(enumerate(z.split(self.width, 1)))):
            x = self.made(k, part, None if x is None else expand(x, self.sizes[k]))
            x = x.clamp(0, 1) if self.spec.bounded else x
        assert x is not None
        return x


def sizes(spec: Spec, levels: int) -> list[tuple[int, int]]:
    """The sizes of I_0, ..., I_K.

    Raises:
        NacreError: The image cannot be halved so often.
    """
    found = [(spec.shape[1], spec.shape[2])]
    while len(found) <= levels or (not levels and (len(found) == 1 or (max(found[-1]) > 8 and min(found[-1]) > 1))):
        h, w = found[-1]
        if min(h, w) < 2:
            often = f"{levels or 1} time{'s' if levels > 1 else ''}"
            cure = "use fewer --levels" if levels > 1 else "use another model"
            raise NacreError(f"images of {spec.shape[1]} x {spec.shape[2]} cannot be halved {often}; {cure}.")
        found.append(((h + 1) // 2, (w + 1) // 2))
    return found
