"""Generative adversarial network: a generator against a discriminator that tells its samples from real ones."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least, share
from nacre.game import Batch, Turn
from nacre.losses.adversarial import GAMES, GameName
from nacre.losses.penalties import gradient_penalty, gradients, packs
from nacre.model import Model, inference
from nacre.nets import adversarial
from nacre.nets.augment import Augment, Kind
from nacre.nets.dcgan import Upsampling, initialise, orthogonal
from nacre.nets.norms import spectral, standing_statistics

Penalty = Literal["two-sided", "one-sided", "r1", "r2"]


class GAN(Model):
    """Two players: a discriminator that scores examples as real or made, and a generator that makes them.

    The game names what both minimise; minimax is min_G max_D E[log D(x)] + E[log(1 - D(G(z)))], and non-saturating
    gives the generator -E[log D(G(z))] in its place. Constraints keep the discriminator smooth: gradient penalties
    lambda E[(|grad D(x')| - 1)^2] between real and made examples, gamma / 2 E[|grad D|^2] at real (R1) or made (R2)
    ones, clipped weights, spectral norms. Games, constraints, networks and tricks combine freely; the other models of
    this family are named points of this space.

    Algorithm: 1 of Goodfellow et al. 2014, with k = n_critic steps of the discriminator for one of the generator.

    Args:
        spec: The data.
        latent: Size of z ~ N(0, I), 1 or more.
        hidden: Units of both dense networks' hidden layers, from the latent outwards; unused by the others.
        channels: Channels of the finest map of convolutional and residual networks.
        network: dense; conv, strided convolutions as in DCGAN; resnet, as in SN-GAN; auto chooses by the data.
        game: What both players minimise; `nacre.losses.adversarial` has the formulas.
        n_critic: Discriminator steps per generator step, each on a fresh batch, 1 or more.
        penalty: Gradient penalties, any of two-sided, one-sided, r1 and r2.
        gamma: Their weight: lambda of the first two, gamma of R1 and R2; 0 or more.
        gamma_end: The share of gamma that is left at the end, approached geometrically, in (0, 1].
        lazy: Penalties are played as a turn of their own in every k-th step, 1 or more.
        weight_clip: Clip the discriminator's weights to [-c, c] after each of its steps; 0 does not.
        spectral_norm: Divide every weight of the discriminator by its largest singular value.
        batch_norm: Who has batch norm in convolutional and residual networks.
        pack: Examples that the discriminator judges together, 1 or more.
        minibatch_std: Let the discriminator see the deviation within the minibatch.
        prior: The law of z: standard normal, or uniform in [-1, 1].
        smoothing: One-sided label smoothing: real examples count as 1 - s, in [0, 1).
        flips: Share of pairs whose labels are exchanged for the discriminator, in [0, 1).
        instance_noise: Deviation of noise on all that the discriminator sees, in units of the data's scale; it falls
            linearly to 0 over the first half of the training.
        augment: Differentiable augmentations of all that the discriminator sees.
        adaptive: Augment only with the probability that keeps the discriminator from overfitting.
        activation: The discriminator's activation; the residual one always has ReLU.
        upsampling: How the strided generator doubles its maps: transposed convolutions of kernel 4; resize, nearest
            neighbours and a convolution; bilinear; uneven, transposed convolutions of kernel 3 and their checkerboards.
        initial: Weights at the start: torch's own, N(0, 0.02^2) as in DCGAN, or orthogonal.

    Shapes:
        sample: (n, *shape).

    Departures:
        Leaky ReLU instead of maxout and no dropout; Adam instead of momentum; Gaussian instead of uniform noise;
        the costs are computed from logits, so that no gradient vanishes or overflows by rounding.

    Example:
        >>> import nacre
        >>> model = nacre.create("gan", nacre.load_data("ring").spec, game="relativistic", penalty=("r1", "r2"))
        >>> model.sample(5, seed=0).shape
        torch.Size([5, 2])

    Reference:
        Goodfellow et al. Generative Adversarial Nets. 2014. arXiv 1406.2661.
        Goodfellow. On distinguishability criteria for estimating generative models. 2014. arXiv 1412.6515 (the
        maximum-likelihood cost).
        Salimans et al. Improved techniques for training GANs. 2016. arXiv 1606.03498 (label smoothing).
        Sonderby et al. Amortised MAP inference for image super-resolution. 2017. arXiv 1610.04490 (instance noise).
        Mescheder, Geiger, Nowozin. Which training methods for GANs do actually converge? 2018. arXiv 1801.04406 (R1
        and R2).
    """

    title: ClassVar[str] = "Generative adversarial network"
    paper: ClassVar[str] = "Goodfellow et al. 2014, Algorithm 1"
    defaults: ClassVar[dict[str, object]] = {"lr": 2e-4, "betas": (0.5, 0.999)}
    only_with: ClassVar[dict[str, tuple[str, tuple[str, ...]]]] = {
        name: ("penalty", ()) for name in ("gamma", "gamma_end", "lazy")
    }

    noise_scale: Tensor

    def __init__(
        self,
        spec: Spec,
        latent: int = 64,
        hidden: tuple[int, ...] = (256, 256),
        channels: int = 64,
        network: adversarial.Network = "auto",
        game: GameName = "non-saturating",
        n_critic: int = 1,
        penalty: tuple[Penalty, ...] = (),
        gamma: float = 1.0,
        gamma_end: float = 1.0,
        lazy: int = 1,
        weight_clip: float = 0.0,
        spectral_norm: bool = False,
        batch_norm: Literal["none", "generator", "both"] = "none",
        pack: int = 1,
        minibatch_std: bool = False,
        prior: Literal["normal", "uniform"] = "normal",
        smoothing: float = 0.0,
        flips: float = 0.0,
        instance_noise: float = 0.0,
        augment: tuple[Kind, ...] = (),
        adaptive: bool = False,
        activation: Literal["leaky-relu", "relu"] = "leaky-relu",
        upsampling: Upsampling = "transposed",
        initial: Literal["uniform", "normal", "orthogonal"] = "uniform",
    ) -> None:
        super().__init__(spec)
        at_least(1, latent=latent, hidden=hidden, channels=channels, n_critic=n_critic, lazy=lazy, pack=pack)
        at_least(0, gamma=gamma, weight_clip=weight_clip, instance_noise=instance_noise)
        share(smoothing=smoothing, flips=flips)
        if not 0 < gamma_end <= 1:
            raise NacreError(f"gamma_end is {gamma_end}; it is a share of gamma in (0, 1].")
        self.latent, self.rules, self.game, self.n_critic = latent, GAMES[game], game, n_critic
        self.penalty, self.gamma, self.gamma_end, self.lazy = penalty, gamma, gamma_end, lazy
        self.weight_clip, self.prior, self.smoothing, self.flips = weight_clip, prior, smoothing, flips
        self.instance_noise, self.spectral_norm, self.initial = instance_noise, spectral_norm, initial
        if smoothing and not self.rules.smooths:
            raise NacreError(f"the {game} game has no labels to smooth; use --game non-saturating or --smoothing 0.")
        if adaptive and not self.rules.signed:
            raise NacreError(
                f"the {game} game has no score above which an example is called real, which --adaptive counts; "
                f"use --game non-saturating or hinge, or --augment alone."
            )
        if penalty and batch_norm == "both":
            raise NacreError(
                "a gradient penalty needs a discriminator that judges every example alone; use --batch-norm generator."
            )
        self.network: adversarial.Network = network
        self.upsampling: Upsampling = upsampling
        self.hidden, self.channels, self.batch_norm = hidden, channels, batch_norm
        self.pack, self.minibatch_std, self.activation = pack, minibatch_std, activation
        # Real and made examples go through the discriminator in one pass where no example sees the others.
        self.joint = pack == 1 and not minibatch_std and batch_norm != "both"
        self.augment = Augment(spec, augment, adaptive) if augment or adaptive else None
        self.register_buffer("noise_scale", torch.tensor(spec.scale) * instance_noise, persistent=False)
        self.generator: nn.Module = self.make_generator()
        self.discriminator: nn.Module = self.make_discriminator()
        self.initialise()

    # The networks

    def make_generator(self) -> nn.Module:
        """G: (n, latent) -> (n, *shape)."""
        norm = self.batch_norm != "none"
        return adversarial.generator(
            self.spec, self.latent, self.network, self.hidden, self.channels, norm, self.upsampling
        )

    def make_discriminator(self) -> nn.Module:
        """D: (n, *shape) -> (n // pack, 1)."""
        return self.scorer()

    def scorer(self, told: int = 0) -> adversarial.Discriminator:
        """A network (n, *shape) -> (n // pack, 1), which may look at `told` values beside each example."""
        return adversarial.Discriminator(
            self.spec,
            self.network,
            tuple(reversed(self.hidden)),
            self.channels,
            norm=self.batch_norm == "both",
            act=self.activation,
            packed=self.pack,
            compares=self.minibatch_std,
            bias=self.rules.shifts,
            told=told,
        )

    def initialise(self) -> None:
        """Draw the first weights as asked, and bind the discriminator's spectral norms."""
        if self.initial != "uniform":
            draw = initialise if self.initial == "normal" else orthogonal
            self.generator.apply(draw)
            self.discriminator.apply(draw)
        if self.spectral_norm:
            spectral(self.discriminator)

    # The game

    def turns(self) -> list[Turn]:
        """n_critic turns of the discriminator, its lazy penalties if any, then one turn of the generator."""
        after = self.clip_weights if self.weight_clip else None
        now = bool(self.penalty) and self.lazy == 1
        turns = [
            Turn(self.discriminator, self.discriminator_loss, repeat=self.n_critic, after=after, compile=not now),
            Turn(self.generator, self.generator_loss),
        ]
        if self.penalty and self.lazy > 1:
            # As often as the discriminator steps, so that --lazy changes when the penalty is paid but not how much.
            lazy = Turn(
                self.discriminator, self.penalty_loss, repeat=self.n_critic, every=self.lazy, after=after, compile=False
            )
            turns.insert(1, lazy)
        return turns

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The discriminator's cost in the game, and the penalties unless they are lazy."""
        penalty = self.penalty if self.lazy == 1 else ()
        told = self.told(batch)
        said_of_real, said_of_fake, penalties = self.judged(batch, told, penalty)
        real, fake = said_of_real[:, :1], said_of_fake[:, :1]
        if self.augment is not None:
            self.augment.adapt(real, len(batch))
        if self.flips:
            kept = torch.rand_like(real[:, :1]) >= self.flips
            real, fake = torch.where(kept, real, fake), torch.where(kept, fake, real)
        smoothing = {"smoothing": self.smoothing} if self.smoothing else {}
        cost = self.rules.discriminator(real, fake, **smoothing)
        return {self.game: cost, **self.further(said_of_real, said_of_fake, told), **penalties}

    def penalty_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The penalties alone."""
        return self.judged(batch, self.told(batch), self.penalty)[2]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The generator's cost in the game, on fresh samples."""
        told = self.told(batch)
        fake = self.score(self.made(self.noise(len(batch)), told), told)
        real = (self.score(batch.x, told)[:, :1],) if self.rules.paired else ()
        return {self.game: self.rules.generator(*real, fake[:, :1]), **self.further(None, fake, told)}

    def clip_weights(self) -> None:
        """W <- min(max(W, -c), c) for every weight of the discriminator."""
        for parameter in self.discriminator.parameters():
            parameter.clamp_(-self.weight_clip, self.weight_clip)

    # The parts of the losses, which conditional games replace

    def told(self, batch: Batch) -> Tensor | None:
        """What both players are told of each example; nothing here."""
        return None

    def made(self, z: Tensor, told: Tensor | None) -> Tensor:
        """G(z)."""
        return self.generator(z)

    def seen(self, x: Tensor) -> Tensor:
        """An example as the discriminator sees it: with the noise and the augmentations of the training."""
        if self.instance_noise:
            left = (1 - 2 * self.progress).clamp(min=0)
            x = x + self.noise_scale * left * torch.randn_like(x)
        return x if self.augment is None else self.augment(x)

    def score(self, x: Tensor, told: Tensor | None) -> Tensor:
        """What the discriminator says of examples, (n // pack, 1 or more); the first is their score."""
        return self.discriminator(self.seen(x))

    def further(self, real: Tensor | None, fake: Tensor, told: Tensor | None) -> dict[str, Tensor]:
        """Costs of what is said of examples beside their scores, real ones in the discriminator's turn; none here."""
        return {}

    def judged(
        self, batch: Batch, told: Tensor | None, penalty: tuple[Penalty, ...]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """What is said of the batch and of as many samples, and the weighted penalties asked for."""
        with torch.no_grad():
            fake = self.made(self.noise(len(batch)), told)
        at = {"r1": batch.x, "r2": fake}
        at = {name: x.detach().requires_grad_() if name in penalty else x for name, x in at.items()}
        real, made = self.scores(at["r1"], at["r2"], told)
        leaves = {name: x for name, x in at.items() if name in penalty}
        slopes = gradients(torch.cat([real, made])[:, :1], list(leaves.values())) if leaves else []
        found = {n: packs(slope, self.pack).square().sum(1).mean() / 2 for n, slope in zip(leaves, slopes, strict=True)}
        for name in penalty:
            if name not in at:
                one_sided = name == "one-sided"
                found[name] = gradient_penalty(
                    lambda x: self.score(x, told)[:, :1], batch.x, fake, one_sided, self.pack
                )
        weight = self.gamma * self.gamma_end**self.progress
        return real, made, {name: weight * value for name, value in found.items()}

    def scores(self, real: Tensor, fake: Tensor, told: Tensor | None) -> tuple[Tensor, Tensor]:
        """What is said of real and of made examples, in one pass where that is the same."""
        if not self.joint:
            return self.score(real, told), self.score(fake, told)
        both = None if told is None else torch.cat([told, told])
        first, second = self.score(torch.cat([real, fake.to(real.dtype)]), both).chunk(2)
        return first, second

    def noise(self, n: int) -> Tensor:
        """N draws of z from the prior, (n, latent)."""
        if self.prior == "normal":
            return super().noise(n)
        return 2 * torch.rand(n, self.latent, device=self.device) - 1

    def finish(self) -> None:
        """Take the generator's batch statistics anew for the averaged weights, which have never seen a batch."""
        if any(isinstance(module, nn.BatchNorm2d) for module in self.generator.modules()):
            standing_statistics(self.generator, self.inputs)

    def inputs(self, n: int) -> Tensor | tuple[Tensor, ...]:
        """What the generator makes n random samples of."""
        return self.noise(n)

    # What a user calls

    @inference
    def sample(self, n: int) -> Tensor:
        """G(z) for n draws of z, shape (n, *shape)."""
        return self.made(self.noise(n), None)

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """G(z), shape (n, *shape)."""
        return self.made(z, None)
