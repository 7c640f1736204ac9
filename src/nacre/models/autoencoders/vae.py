"""Variational autoencoder: an encoder and a decoder trained to maximise a bound on log p(x)."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nacre.data.spec import Spec
from nacre.errors import at_least, share
from nacre.game import Batch, Turn
from nacre.losses.divergences import gaussian_kl
from nacre.losses.likelihoods import gaussian_log_density
from nacre.model import Model, inference
from nacre.nets import coder
from nacre.nets.likelihood import LIKELIHOODS
from nacre.nets.scale import FromData


class VAE(Model):
    r"""Maximise the evidence lower bound by the reparametrised gradient.

    ELBO(x) = E_{q(z|x)}[log p(x|z)] - beta KL(q(z|x) || N(0, I)), with q(z|x) = N(mean(x), diag exp(logvar(x))).

    Algorithm: 1 (Auto-Encoding VB) with the estimator of its equation 10, one draw of z per example.

    Args:
        spec: The data.
        latent: Size of z, 1 or more.
        hidden: Units of the dense hidden layers, from the data inwards; unused by convolutions.
        channels: Channels of the finest convolutional map; unused by dense networks.
        network: Dense, convolutional, or by the data's shape.
        likelihood: Of p(x|z): bernoulli, gaussian with one learned variance, or auto: bernoulli for values in [0, 1].
        beta: Weight of the KL; 1 is the bound itself.
        kl_warmup: Share of training over which the weight of the KL rises from 0, in [0, 1).
        activation: Of the hidden layers.

    Shapes:
        encode: (n, *shape) -> (n, latent), the mean of q(z|x). decode: (n, latent) -> (n, *shape), the mean of p(x|z).

    Departures:
        Adam with decaying averages of the weights instead of Adagrad; a 400-unit ReLU net instead of tanh.
        Grey values in [0, 1] are taken as Bernoulli probabilities (the usual cross-entropy), which bounds the
        likelihood of the binarised image and is no density of the grey one.

    Example:
        >>> import nacre
        >>> model = nacre.create("vae", nacre.load_data("digits").spec, latent=2)
        >>> model.sample(3, seed=0).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Kingma, Welling. Auto-Encoding Variational Bayes. 2014. arXiv 1312.6114.
    """

    title: ClassVar[str] = "Variational autoencoder"
    paper: ClassVar[str] = "Kingma & Welling 2014, Algorithm 1"
    density: ClassVar[str] = "explicit, approximate"
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine"}

    def __init__(
        self,
        spec: Spec,
        latent: int = 20,
        hidden: tuple[int, ...] = (400,),
        channels: int = 32,
        network: coder.Network = "auto",
        likelihood: Literal["auto", "bernoulli", "gaussian"] = "auto",
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        activation: str = "relu",
    ) -> None:
        super().__init__(spec)
        at_least(1, latent=latent, hidden=hidden, channels=channels)
        at_least(0, beta=beta)
        share(kl_warmup=kl_warmup)
        self.latent, self.beta, self.kl_warmup = latent, beta, kl_warmup
        if likelihood == "auto":
            likelihood = "bernoulli" if spec.bounded else "gaussian"
        self.from_data = FromData(spec)
        self.encoder = coder.encoder(spec, 2 * latent, hidden, channels, network, activation)
        self.decoder = coder.decoder(spec, latent, hidden, channels, network, activation)
        self.likelihood = LIKELIHOODS[likelihood](spec)

    def turns(self) -> list[Turn]:
        """One turn: everybody maximises the bound."""
        return [Turn((self.encoder, self.decoder, self.likelihood), self.negative_elbo)]

    def negative_elbo(self, batch: Batch) -> dict[str, Tensor]:
        """-ELBO in nats per example: reconstruction and the (weighted) KL."""
        mean, logvar = self.posterior(batch.x)
        z = mean + torch.randn_like(mean) * (logvar / 2).exp()
        weight = self.beta * (self.progress / self.kl_warmup).clamp(max=1) if self.kl_warmup else self.beta
        return {
            "reconstruction": self.likelihood.nll(self.decoder(z), batch.x).mean(),
            "kl": weight * gaussian_kl(mean, logvar).mean(),
        }

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each (n, latent)."""
        mean, logvar = self.encoder(self.from_data(x)).chunk(2, dim=1)
        return mean, logvar

    def features(self, x: Tensor) -> Tensor:
        """The mean of q(z|x), differentiable: (n, *shape) -> (n, latent)."""
        return self.posterior(x)[0]

    @inference
    def sample(self, n: int) -> Tensor:
        """The means of p(x|z) for n draws of z from the prior, shape (n, *shape)."""
        return self.likelihood.mean(self.decoder(self.noise(n)))

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """The mean of q(z|x), shape (n, latent)."""
        return self.features(x)

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """The mean of p(x|z), shape (n, *shape)."""
        return self.likelihood.mean(self.decoder(z))

    @inference
    def score_samples(self, x: Tensor, draws: int = 1) -> Tensor:
        """A lower bound on log p(x) in nats, shape (n,): the ELBO for one draw, tighter the more there are.

        log 1/k sum_i p(x|z_i) p(z_i) / q(z_i|x) with z_i ~ q(z|x). Burda et al. 2016, equation 8.

        Args:
            x: Shape (n, *shape).
            draws: k, 1 or more. One draw of the bound is noisy; its mean over examples is the ELBO.
        """
        mean, logvar = self.posterior(x)
        log_weights = []
        for _ in range(draws):
            noise = torch.randn_like(mean)
            z = mean + noise * (logvar / 2).exp()
            log_q = gaussian_log_density(noise) - logvar.sum(1) / 2
            log_weights.append(gaussian_log_density(z) - log_q - self.likelihood.nll(self.decoder(z), x))
        return torch.logsumexp(torch.stack(log_weights), 0) - math.log(draws)
