"""VampPrior: a VAE whose prior is the mixture of its posteriors at inputs that it learns."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.game import Turn
from nacre.losses.likelihoods import gaussian_log_density, mixture_log_density
from nacre.models.autoencoders.vae import VAE
from nacre.nets import coder
from nacre.nets import likelihood as likelihoods


class VampVAE(VAE):
    r"""Maximise E[log p(x|z)] - KL(q(z|x) || p(z)) with p(z) = 1/K sum_k q(z|u_k) and learned pseudo-inputs u_k.

    The optimal prior of the bound is the aggregate posterior; the mixture is its approximation that does not overfit.
    The divergence has no closed form and is estimated by the draw that is decoded.

    Args:
        spec: The data.
        latent: Latent variables, 1 or more.
        hidden: Units of the dense hidden layers, from the data inwards; unused by conv.
        channels: Channels of the finest convolutional map; unused by dense networks.
        network: Dense, convolutional, with the residual blocks of `conv-vae`, or by the data's shape.
        likelihood: Of p(x|z), as in `vae`.
        pseudo_inputs: K, 1 or more.
        kl_warmup: Share of training over which the weight of the KL rises from 0, in [0, 1).
        activation: Of the hidden layers.

    Shapes:
        encode: (n, *shape) -> (n, latent), the mean of q(z|x). decode: (n, latent) -> (n, *shape), the mean of p(x|z).

    Departures:
        The pseudo-inputs start at random training examples and are kept in the data's range by clamping; the layers
        have no gates.

    Example:
        >>> import nacre
        >>> model = nacre.create("vamp-vae", nacre.load_data("digits").spec, latent=4, pseudo_inputs=20)
        >>> model.sample(3, seed=0).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Tomczak, Welling. VAE with a VampPrior. 2018. arXiv 1705.07120.
    """

    title: ClassVar[str] = "VAE with a VampPrior"
    paper: ClassVar[str] = "Tomczak & Welling 2018, equation 9"

    def __init__(
        self,
        spec: Spec,
        latent: int = 20,
        hidden: tuple[int, ...] = (400,),
        channels: int = 32,
        network: coder.Network = "auto",
        likelihood: likelihoods.Name = "auto",
        pseudo_inputs: int = 200,
        kl_warmup: float = 0.0,
        activation: str = "relu",
    ) -> None:
        super().__init__(
            spec, latent, hidden, channels, network, likelihood, kl_warmup=kl_warmup, activation=activation
        )
        at_least(1, pseudo_inputs=pseudo_inputs)
        self.pseudo_inputs = PseudoInputs(spec, pseudo_inputs)

    def begin(self, data: Data) -> None:
        """Start the pseudo-inputs at random training examples."""
        index = torch.randint(len(data), (len(self.pseudo_inputs.values),))
        with torch.no_grad():
            self.pseudo_inputs.values.copy_(data.batch(index.to(data.device)).x)

    def turns(self) -> list[Turn]:
        """One turn: everybody, the pseudo-inputs among them, maximises the bound."""
        players = (self.encoder, self.decoder, self.likelihood, self.pseudo_inputs)
        return [Turn(players, self.negative_elbo, after=self.pseudo_inputs.clamp)]

    def components(self) -> tuple[Tensor, Tensor]:
        """Means and log-variances of the prior's components, each (K, latent)."""
        mean, logvar = self.posterior(self.pseudo_inputs.values).chunk(2, dim=1)
        return mean, logvar

    def log_prior(self, z: Tensor) -> Tensor:
        """Log 1/K sum_k q(z|u_k), shape (n,)."""
        return mixture_log_density(z, *self.components())

    def log_ratio(self, z: Tensor, h: Tensor) -> Tensor:
        """Log p(z) - log q(z|x), shape (n,)."""
        return self.log_prior(z) - gaussian_log_density(z, *h.chunk(2, dim=1))

    def kl_terms(self, h: Tensor, z: Tensor) -> Tensor:
        """The estimate log q(z|x) - log p(z) in nats, which does not fall into variables: (n, 1)."""
        return -self.log_ratio(z, h)[:, None]

    def noise(self, n: int) -> Tensor:
        """N draws from the mixture, shape (n, latent)."""
        mean, logvar = self.components()
        chosen = torch.randint(len(mean), (n,), device=self.device)
        return mean[chosen] + torch.randn(n, mean.shape[1], device=self.device) * (logvar[chosen] / 2).exp()


class PseudoInputs(nn.Module):
    """K examples that are learned.

    Args:
        spec: The data.
        n: K, 1 or more.
    """

    def __init__(self, spec: Spec, n: int) -> None:
        super().__init__()
        self.bounded = spec.bounded
        center, scale = torch.tensor(spec.center), torch.tensor(spec.scale)
        self.values = nn.Parameter(torch.randn(n, *spec.shape) * 0.1 * scale + center)
        self.clamp()

    @torch.no_grad()
    def clamp(self) -> None:
        """Keep them in [0, 1] where the data are."""
        if self.bounded:
            self.values.clamp_(0, 1)
