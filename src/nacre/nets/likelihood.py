"""The last layer of a probabilistic decoder: a distribution over the data's values."""

import torch
from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.losses.likelihoods import bernoulli_nll, gaussian_nll
from nacre.nets.scale import ToData


class Bernoulli(nn.Module):
    """Every value is 1 with probability sigmoid(h), independently.

    Args:
        spec: Data in [0, 1].
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        if not spec.bounded:
            raise NacreError("a Bernoulli likelihood needs values in [0, 1]; use --likelihood gaussian.")
        self.shape = spec.shape

    def nll(self, h: Tensor, x: Tensor) -> Tensor:
        """-log p(x | h) in nats, shape (n,)."""
        return bernoulli_nll(h.view_as(x), x)

    def mean(self, h: Tensor) -> Tensor:
        """E[x | h], shape (n, *shape)."""
        return h.view(len(h), *self.shape).sigmoid()


class Gaussian(nn.Module):
    """Every value is normal around a prediction, with one learned variance for all of them.

    The variance is that of the data's own units. Its optimum is the mean squared error, so that the balance between
    reconstruction and divergence needs no weight. Rybkin et al. 2021 (arXiv 2006.13202), sigma-VAE.

    Args:
        spec: The units.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.logvar = nn.Parameter(torch.tensor(spec.scale).square().log().mean())
        self.to_data = ToData(spec)

    def nll(self, h: Tensor, x: Tensor) -> Tensor:
        """-log p(x | h) in nats, shape (n,)."""
        return gaussian_nll(self.mean(h), self.logvar, x)

    def mean(self, h: Tensor) -> Tensor:
        """E[x | h], shape (n, *shape)."""
        return self.to_data(h)


LIKELIHOODS = {"bernoulli": Bernoulli, "gaussian": Gaussian}
