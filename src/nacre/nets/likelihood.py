"""The last layer of a probabilistic decoder: a distribution over the data's values."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.losses.likelihoods import (
    bernoulli_nll,
    continuous_bernoulli_draw,
    continuous_bernoulli_mean,
    continuous_bernoulli_nll,
    discretised_logistic_nll,
    gaussian_nll,
)
from nacre.nets.scale import ToData, unrounded

Name = Literal[
    "auto",
    "bernoulli",
    "continuous-bernoulli",
    "gaussian",
    "gaussian-fixed",
    "gaussian-pixel",
    "discretised-logistic",
]


class Likelihood(nn.Module, ABC):
    """A distribution over the values of an example, given the decoder's outputs h.

    Args:
        spec: The data.

    Class attributes: `outputs`, how many numbers the decoder gives for one value; `density`, whether the likelihood is
    that of a density, else of a probability; `unit_interval`, whether the values must lie in [0, 1].
    """

    outputs: ClassVar[int] = 1
    density: ClassVar[bool] = True
    unit_interval: ClassVar[bool] = True

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        if self.unit_interval and not spec.bounded:
            name = next(name for name, kind in LIKELIHOODS.items() if kind is type(self))
            raise NacreError(f"the likelihood {name} needs values in [0, 1]; use --likelihood gaussian for these data.")
        self.shape, self.image = spec.shape, spec.kind == "image"

    @abstractmethod
    def nll(self, h: Tensor, x: Tensor) -> Tensor:
        """-log p(x | h) in nats, shape (n,)."""

    @abstractmethod
    def mean(self, h: Tensor) -> Tensor:
        """E[x | h], shape (n, *shape)."""

    def sample(self, h: Tensor) -> Tensor:
        """Draws of p(x | h), shape (n, *shape); of images the mean, which noise in every pixel would only cover."""
        return self.mean(h) if self.image else self.draw(h)

    @abstractmethod
    def draw(self, h: Tensor) -> Tensor:
        """One draw of p(x | h), shape (n, *shape)."""

    def split(self, h: Tensor) -> list[Tensor]:
        """The decoder's outputs (n, ...) as `outputs` tensors of shape (n, *shape)."""
        if self.outputs == 1:
            return [h.view(len(h), *self.shape)]
        return [part.reshape(len(h), *self.shape) for part in h.flatten(1).chunk(self.outputs, dim=1)]


class Bernoulli(Likelihood):
    """Every value is 1 with probability sigmoid(h), independently.

    Values between 0 and 1 are taken as probabilities: a bound on the likelihood of the binarised example.

    Args:
        spec: Data in [0, 1].
    """

    density: ClassVar[bool] = False

    def nll(self, h: Tensor, x: Tensor) -> Tensor:
        """-log p(x | h) in nats, shape (n,)."""
        return bernoulli_nll(h.view_as(x), x)

    def mean(self, h: Tensor) -> Tensor:
        """E[x | h], shape (n, *shape)."""
        return h.view(len(h), *self.shape).sigmoid()

    def draw(self, h: Tensor) -> Tensor:
        """One draw of p(x | h), shape (n, *shape)."""
        return self.mean(h).bernoulli()


class ContinuousBernoulli(Likelihood):
    """Every value has the density C(h) p^x (1 - p)^(1 - x) on [0, 1]: the cross-entropy made a proper likelihood.

    Args:
        spec: Data in [0, 1].
    """

    def nll(self, h: Tensor, x: Tensor) -> Tensor:
        """-log p(x | h) in nats, shape (n,)."""
        return continuous_bernoulli_nll(unrounded(h).view_as(x), x)

    def mean(self, h: Tensor) -> Tensor:
        """E[x | h], shape (n, *shape)."""
        return continuous_bernoulli_mean(h.view(len(h), *self.shape))

    def draw(self, h: Tensor) -> Tensor:
        """One draw of p(x | h), shape (n, *shape)."""
        return continuous_bernoulli_draw(unrounded(h).view(len(h), *self.shape))


class Gaussian(Likelihood):
    """Every value is normal around a prediction, with one learned variance for all of them.

    The variance is that of the data's own units; columns of different scales share it as a part of their own variances.
    Its optimum is the mean squared error, so that the balance between reconstruction and divergence needs no weight.
    Rybkin et al. 2021 (arXiv 2006.13202), sigma-VAE.

    Args:
        spec: The units.
    """

    unit_interval: ClassVar[bool] = False
    logvar: Tensor
    offsets: Tensor

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.to_data = ToData(spec)
        own = torch.tensor(spec.scale).square().log()
        self.register_buffer("offsets", own - own.mean(), persistent=False)  # of the columns from their mean
        self.start(own.mean())

    def start(self, logvar: Tensor) -> None:
        """Set the log-variance to the mean of the data's own, to be learned."""
        self.logvar = nn.Parameter(logvar)

    def nll(self, h: Tensor, x: Tensor) -> Tensor:
        """-log p(x | h) in nats, shape (n,)."""
        return gaussian_nll(*self.moments(h), x)

    def mean(self, h: Tensor) -> Tensor:
        """E[x | h], shape (n, *shape)."""
        return self.moments(h)[0]

    def draw(self, h: Tensor) -> Tensor:
        """One draw of p(x | h), within [0, 1] where the data are: shape (n, *shape)."""
        mean, logvar = self.moments(h)
        sd = (logvar / 2).exp()
        if self.to_data.bounded:
            return truncated_normal(mean, sd.expand_as(mean))
        return mean + sd * torch.randn_like(mean)

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """The mean (n, *shape) and the log-variance of every value, which may be the same for all examples."""
        return self.to_data(unrounded(h)), self.logvar + self.offsets


class FixedGaussian(Gaussian):
    """Every value is normal around a prediction with the variance of the data's scale, which is not learned.

    Args:
        spec: The units.
    """

    def start(self, logvar: Tensor) -> None:
        """Keep the data's own log-variance."""
        self.register_buffer("logvar", logvar, persistent=False)


class PixelGaussian(Gaussian):
    """Every value is normal around a prediction with a variance that the decoder predicts too.

    The log-variance is bounded below at that of a tenth of an 8-bit grey level, or as small a part of a column's own,
    since the likelihood of a value that is predicted exactly has no bound (Mattei & Frellsen 2018).

    Args:
        spec: The units.
    """

    outputs: ClassVar[int] = 2
    FLOOR: ClassVar[float] = -14.3  # 2 log(0.1 / 127.5): the scale of images is half their range

    def start(self, logvar: Tensor) -> None:
        """Keep the data's own log-variance as the middle of the predicted ones."""
        self.register_buffer("logvar", logvar, persistent=False)

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the log-variance of every value, each (n, *shape)."""
        mean, logvar = self.split(unrounded(h))
        return self.to_data(mean), logvar.clamp(min=self.FLOOR) + self.logvar + self.offsets


class DiscretisedLogistic(Likelihood):
    """Every value is one of 256 grey levels, by a logistic distribution of predicted mean and one learned scale.

    Its nats are of a probability, so that they may be compared over methods and turned into bits per dimension.

    Args:
        spec: 8-bit images in [0, 1].
    """

    density: ClassVar[bool] = False

    def __init__(self, spec: Spec) -> None:
        if spec.kind != "image":
            raise NacreError("the likelihood discretised-logistic is for the grey levels of images; use gaussian.")
        super().__init__(spec)
        self.to_data = ToData(spec)
        self.logscale = nn.Parameter(torch.tensor(-2.0))

    def nll(self, h: Tensor, x: Tensor) -> Tensor:
        """-log P(x | h) in nats, shape (n,)."""
        return discretised_logistic_nll(self.mean(h), self.logscale, x)

    def mean(self, h: Tensor) -> Tensor:
        """The middle of the distribution, shape (n, *shape)."""
        return self.to_data(unrounded(h))

    def draw(self, h: Tensor) -> Tensor:
        """One draw of P(x | h), shape (n, *shape)."""
        u = torch.rand_like(self.mean(h)).clamp(1e-6, 1 - 1e-6)
        return ((self.mean(h) + self.logscale.exp() * u.logit()) * 255).round().clamp(0, 255) / 255


def truncated_normal(mean: Tensor, sd: Tensor) -> Tensor:
    """Draws of a normal within [0, 1], where its mean is too, by its inverse distribution function; same shape."""
    low, high = (torch.special.ndtr((edge - mean.double()) / sd) for edge in (0.0, 1.0))
    u = low + (high - low) * torch.rand_like(low)
    return (mean + sd * torch.special.ndtri(u)).clamp(0, 1).to(mean.dtype)


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous-bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
    "gaussian-fixed": FixedGaussian,
    "gaussian-pixel": PixelGaussian,
    "discretised-logistic": DiscretisedLogistic,
}


def make_likelihood(name: Name, spec: Spec) -> Likelihood:
    """A likelihood by name; "auto" is bernoulli for images and for values of 0 and 1, else gaussian."""
    if name == "auto":
        name = "bernoulli" if spec.bounded and (spec.kind == "image" or spec.binary) else "gaussian"
    return LIKELIHOODS[name](spec)
