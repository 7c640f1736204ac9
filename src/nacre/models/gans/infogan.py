"""InfoGAN: a part of the latent that can be read off the samples, so that it comes to mean something."""

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot

from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least, unknown
from nacre.game import Batch
from nacre.model import inference
from nacre.models.gans.gan import GAN
from nacre.nets.heads import Reading
from nacre.nets.mlp import mlp

READER = 128  # units between the trunk's features and what is read from them
NARROWEST = -6.0  # least log-variance, about the square of 0.05

Codes = dict[str, int | float | list[int] | list[float] | Tensor]


class InfoGAN(GAN):
    """The game of `gan` in which codes c, a part of the latent, stay readable: D's trunk also gives Q(c|x).

    With the lower bound L_I = E[log Q(c|G(z, c))] + H(c) on the mutual information of c and G(z, c), the discriminator
    and Q minimise the discriminator's cost - lambda L_I, the generator its own cost - lambda L_I. Categorical codes are
    one-hot and Q gives their probabilities; continuous ones are uniform in [-1, 1] and Q is normal. No labels are used.

    Algorithm: equation 6, played as in `gan`.

    Args:
        spec: The data.
        latent: Size of the noise alone, 1 or more; codes come behind it.
        categories: How many values each categorical code has, 2 or more; none if empty.
        continuous: Continuous codes, 0 or more.
        info_weight: lambda of the categorical codes, 0 or more.
        continuous_weight: lambda of the continuous ones, 0 or more.
        variance: Of Q for continuous codes: fixed at 1, or learned for every example.

    Shapes:
        sample: n -> (n, *shape); it takes `codes`. decode: (n, latent + codes) -> (n, *shape), where a categorical code
        has as many columns as values. codes: (n, *shape) -> (n, codes).

    Departures:
        The networks of `gan`; no batch norm in Q.

    Example:
        >>> import nacre
        >>> model = nacre.create("infogan", nacre.load_data("digits").spec, hidden=(32,), continuous=1)
        >>> model.sample(3, seed=0, codes={"c1": [0, 1, 2], "c2": -1.0}).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Chen, Duan, Houthooft, Schulman, Sutskever, Abbeel. InfoGAN: interpretable representation learning by
        information maximizing generative adversarial nets. 2016. arXiv 1606.03657.
    """

    title: ClassVar[str] = "Information maximising GAN"
    paper: ClassVar[str] = "Chen et al. 2016, equation 6"

    def __init__(
        self,
        spec: Spec,
        latent: int = 62,
        categories: tuple[int, ...] = (10,),
        continuous: int = 2,
        info_weight: float = 1.0,
        continuous_weight: float = 0.1,
        variance: Literal["fixed", "learned"] = "fixed",
        **inherited: Any,
    ) -> None:
        at_least(1, latent=latent)
        at_least(2, categories=categories)
        at_least(0, continuous=continuous, info_weight=info_weight, continuous_weight=continuous_weight)
        if not categories and not continuous:
            raise NacreError("infogan needs codes; give --categories 10, or --continuous 2, or both.")
        self.categories, self.continuous, self.variance = categories, continuous, variance
        self.info_weight, self.continuous_weight = info_weight, continuous_weight
        self.free, self.coded = latent, sum(categories) + continuous
        super().__init__(spec, latent=latent + self.coded, **inherited)

    def make_discriminator(self) -> nn.Module:
        """D and Q: (n, *shape) -> (n, 1 + codes), and log-variances behind where they are learned."""
        if self.pack > 1:
            raise NacreError("infogan reads the codes of each example by itself; use --pack 1.")
        judge = self.scorer()
        outputs = self.coded + (self.continuous if self.variance == "learned" else 0)
        return Reading(judge, mlp([judge.features, READER, outputs], "leaky-relu"))

    # The game

    def told(self, batch: Batch) -> Tensor:
        """Fresh codes, one row for each example."""
        return self.drawn(len(batch))

    def made(self, z: Tensor, told: Tensor | None) -> Tensor:
        """G(z, c), where codes that are told replace those of z."""
        return self.generator(z if told is None else torch.cat([z[:, : self.free], told], 1))

    def further(self, real: Tensor | None, fake: Tensor, told: Tensor | None) -> dict[str, Tensor]:
        """-lambda L_I of each kind of codes; real examples have none."""
        assert told is not None
        categorical, normal = self.information(fake[:, 1:], told)
        terms = {}
        if self.categories:
            terms["categorical"] = -self.info_weight * categorical
        if self.continuous:
            terms["continuous"] = -self.continuous_weight * normal
        return terms

    def information(self, read: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """E[log Q(c|x)] + H(c) in nats, summed over the categorical codes, and over the continuous ones.

        Args:
            read: What Q says of samples, (n, codes) or with log-variances behind.
            codes: Those that the samples were made with, (n, codes).
        """
        sizes = [*self.categories, self.continuous]
        *logits, mean, log_variance = read.split([*sizes, read.shape[1] - self.coded], 1)
        *chosen, values = codes.split(sizes, 1)
        found = [
            (c * log_softmax(h, 1)).sum(1).mean() + math.log(c.shape[1]) for h, c in zip(logits, chosen, strict=True)
        ]
        log_variance = log_variance.clamp(min=NARROWEST) if log_variance.shape[1] else torch.zeros_like(mean)
        surprise = (values - mean).square() * (-log_variance).exp() + log_variance + math.log(2 * math.pi)
        normal = (math.log(2) - surprise / 2).sum(1).mean()
        return sum(found, mean.new_zeros(())), normal

    def drawn(self, n: int) -> Tensor:
        """N draws of all codes, (n, codes)."""
        u = torch.rand(n, len(self.categories) + self.continuous, device=self.device)
        parts = [one_hot((u[:, i] * k).long(), k).to(u.dtype) for i, k in enumerate(self.categories)]
        return torch.cat([*parts, 2 * u[:, len(self.categories) :] - 1], 1)

    def noise(self, n: int) -> Tensor:
        """N draws of the noise with codes behind, (n, latent + codes)."""
        return torch.cat([super().noise(n)[:, : self.free], self.drawn(n)], 1)

    # What a user calls

    @inference
    def sample(self, n: int, codes: Codes | None = None) -> Tensor:
        """G(z, c) for n draws of z and c, shape (n, *shape).

        Args:
            n: How many.
            codes: Values instead of draws, by name, one or one for each example: c1, c2 ... are the categorical codes,
                numbered from 0, and the continuous ones after them.

        Raises:
            NacreError: There is no such code, or no such value of it.
        """
        z = self.noise(n)
        return self.made(z, self.chosen(z[:, self.free :], codes or {}))

    @inference
    def codes(self, x: Tensor) -> Tensor:
        """What Q reads from examples: probabilities of the categorical codes, means of the others, (n, codes)."""
        *logits, mean = self.discriminator(x)[:, 1 : 1 + self.coded].split([*self.categories, self.continuous], 1)
        return torch.cat([*(h.softmax(1) for h in logits), mean], 1)

    def chosen(self, drawn: Tensor, codes: Codes) -> Tensor:
        """Draws of codes (n, codes) with the values that a user chose."""
        parts = list(drawn.split([*self.categories, *[1] * self.continuous], 1))
        names = [f"c{i + 1}" for i in range(len(parts))]
        for name, value in codes.items():
            if name not in names:
                raise unknown("code", name, names)
            i = names.index(name)
            parts[i] = self.column(i, torch.as_tensor(value, device=self.device), len(drawn)).to(drawn)
        return torch.cat(parts, 1)

    def column(self, i: int, value: Tensor, n: int) -> Tensor:
        """The columns of code number i for a value, or for one of each example."""
        if value.dim() and len(value) != n:
            raise NacreError(f"{len(value)} values of c{i + 1} were given for {n} examples; give one, or {n}.")
        if i >= len(self.categories):
            return value.expand(n)[:, None]
        k = self.categories[i]
        if value.numel() and not (0 <= value.min() and value.max() < k and (value == value.long()).all()):
            raise NacreError(f"c{i + 1} must be whole and lie between 0 and {k - 1}.")
        return one_hot(value.long().expand(n), k)
