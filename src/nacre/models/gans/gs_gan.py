"""GS-GAN: a game over strings and categories, made differentiable by the Gumbel-softmax relaxation."""

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.game import Batch, Turn
from nacre.losses.adversarial import GAMES, GameName
from nacre.losses.penalties import gradients
from nacre.model import Model, inference
from nacre.nets.recurrent import Reader, Symbols, Writer, drawn, relaxed


class GSGAN(Model):
    r"""A recurrent generator writes symbols one by one, and a recurrent discriminator reads them.

    The generator's draw of a symbol is argmax(h + g), with its logits h and Gumbel noise g. This has no gradient;
    softmax((h + g) / tau) has one, and tends to the draw as tau falls to 0. It takes the draw's place, or only its
    gradient's (straight-through). The game is

    $$\min_D\; E[-\log D(x)] + E[-\log(1 - D(y))], \quad \min_G\; E[-\log D(y)], \quad y = G(z, g),$$

    or another, with gradient penalties gamma / 2 E[|grad D|^2] at real (R1) and made (R2) rows.

    Algorithm: the alternating one of Goodfellow et al. 2014, with the relaxation in the place of the draws.

    Args:
        spec: Strings or a table; numbers are binned, and any other data are a row of numbers.
        latent: Size of z ~ N(0, I), which the generator is told in every step, 1 or more.
        hidden: Size of both networks' states, 1 or more.
        bins: Of a number, 2 or more.
        temperature: tau at the beginning and at the end of training, positive; it moves geometrically.
        straight_through: Whether the discriminator sees draws, so that nothing soft gives them away.
        game: What both players minimise; `nacre.losses.adversarial` has the formulas.
        penalty: Gradient penalties, any of r1 and r2.
        gamma: Their weight, 0 or more.
        instance_noise: Deviation of noise on all that the discriminator sees; it falls linearly to 0. Without
            straight-through it keeps soft rows from being told by their softness.

    Shapes:
        sample: (n, *shape), symbol numbers.

    Departures:
        Straight-through draws by default, where the paper's discriminator sees the relaxation; gradient penalties;
        Adam with beta_1 = 0; the discriminator judges by its last state and by the mean of all.

    Example:
        >>> import nacre
        >>> nacre.create("gs-gan", nacre.load_data("grammar").spec).sample(5, seed=0).shape
        torch.Size([5, 12])

    Reference:
        Kusner, Hernandez-Lobato. GANs for sequences of discrete elements with the Gumbel-softmax distribution. 2016.
        arXiv 1611.04051.
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-softmax. 2017. arXiv 1611.01144.
    """

    title: ClassVar[str] = "Gumbel-softmax GAN"
    paper: ClassVar[str] = "Kusner and Hernandez-Lobato 2016"
    mixed: ClassVar[bool] = True
    shown_for: ClassVar[str] = "grammar"
    defaults: ClassVar[dict[str, object]] = {"lr": 4e-3, "betas": (0.0, 0.99), "batch_size": 64, "schedule": "cosine"}

    def __init__(
        self,
        spec: Spec,
        latent: int = 32,
        hidden: int = 64,
        bins: int = 20,
        temperature: tuple[float, float] = (1.0, 0.5),
        straight_through: bool = True,
        game: GameName = "non-saturating",
        penalty: tuple[Literal["r1", "r2"], ...] = ("r1", "r2"),
        gamma: float = 0.1,
        instance_noise: float = 0.0,
    ) -> None:
        super().__init__(spec)
        at_least(1, latent=latent, hidden=hidden)
        at_least(0, gamma=gamma, instance_noise=instance_noise)
        if min(temperature) <= 0:
            raise NacreError(f"temperature is {temperature}; both values must be positive.")
        self.latent, self.temperature, self.straight_through = latent, temperature, straight_through
        self.rules, self.game, self.penalty, self.gamma = GAMES[game], game, penalty, gamma
        self.instance_noise = instance_noise
        self.symbols = Symbols(spec, bins)
        self.generator = Writer(self.symbols, hidden, latent)
        self.discriminator = Reader(self.symbols, hidden, self.rules.shifts)

    def begin(self, data: Data) -> None:
        """Cut the numbers of a table into bins."""
        self.symbols.begin(data)

    # The game

    def turns(self) -> list[Turn]:
        """One turn of the discriminator, then one of the generator."""
        return [
            Turn(self.discriminator, self.discriminator_loss, compile=False),  # a graph unrolled over all places
            Turn(self.generator, self.generator_loss, compile=False),
        ]

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The discriminator's cost in the game, and the penalties."""
        with torch.no_grad():
            rows = {"r1": self.symbols.hot(batch.x), "r2": self.made(len(batch))}
        rows = {name: row.requires_grad_(name in self.penalty) for name, row in rows.items()}
        scores = self.score(torch.cat(list(rows.values())))
        at = {name: rows[name] for name in self.penalty}
        slopes = gradients(scores, list(at.values())) if at else []
        penalties = {
            name: self.gamma / 2 * slope.square().sum(1).mean() for name, slope in zip(at, slopes, strict=True)
        }
        return {self.game: self.rules.discriminator(*scores.chunk(2)), **penalties}

    def generator_loss(self, batch: Batch) -> Tensor:
        """The generator's cost in the game, on fresh samples."""
        fake = self.score(self.made(len(batch)))
        return self.rules.generator(*([self.score(self.symbols.hot(batch.x))] if self.rules.paired else []), fake)

    def score(self, row: Tensor) -> Tensor:
        """What the discriminator says of rows, (n, 1)."""
        if self.instance_noise:
            row = row + self.instance_noise * (1 - self.progress) * torch.randn_like(row)
        return self.discriminator(row, self.symbols)

    def made(self, n: int) -> Tensor:
        """N rows as the discriminator sees them, (n, width)."""
        start, end = self.temperature
        tau = start * (end / start) ** self.progress
        return self.written(n, lambda noisy: relaxed(noisy, tau, self.straight_through))

    def written(self, n: int, choose: Callable[[Tensor], Tensor]) -> Tensor:
        """N rows whose symbols are chosen by their logits plus Gumbel noise, (n, width)."""
        noise = self.symbols.noise(n)
        return self.generator(self.noise(n), self.symbols, lambda place, logits: choose(logits + noise[place]))

    # What a user calls

    @inference
    def sample(self, n: int) -> Tensor:
        """Rows drawn symbol by symbol for n draws of z, shape (n, *shape)."""
        return self.symbols.values(self.written(n, drawn))
