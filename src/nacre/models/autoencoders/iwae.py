"""Importance-weighted autoencoder: a VAE trained on a bound that several draws tighten."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least, share
from nacre.game import Batch, Phase, Turn
from nacre.models.autoencoders.vae import VAE
from nacre.nets import coder
from nacre.nets import likelihood as likelihoods


class IWAE(VAE):
    r"""Maximise E[log 1/k sum_i w_i], w_i = p(x|z_i) p(z_i) / q(z_i|x), z_i ~ q(z|x).

    The decoder follows sum_i v_i grad log w_i with v_i = w_i / sum_j w_j. The encoder follows the doubly reparametrised
    gradient sum_i v_i^2 (d log w_i / d z_i)(d z_i / d phi), whose signal does not drown in noise as k grows; without
    `doubly`, it follows the plain one.

    Algorithm: equations 8 and 14 of Burda et al. 2016; equation 6 of Tucker et al. 2019.

    Args:
        spec: The data.
        latent: Latent variables, 1 or more.
        hidden: Units of the dense hidden layers, from the data inwards; unused by conv.
        channels: Channels of the finest convolutional map; unused by dense networks.
        network: Dense, convolutional, with the residual blocks of `conv-vae`, or by the data's shape.
        likelihood: Of p(x|z), as in `vae`.
        k: Draws per example, 1 or more; 1 is the VAE.
        doubly: Whether the encoder takes the doubly reparametrised gradient.
        activation: Of the hidden layers.
        opening: Share of the steps, the first ones, that train as `vae` does, with one draw, in [0, 1): most of the way
            at a fraction of the cost of k. The learning rate of the others begins at a third of what it is.
        kl_warmup: Share of the opening over which the weight of the KL rises from 0, in [0, 1).

    Shapes:
        encode: (n, *shape) -> (n, latent), the mean of q(z|x). decode: (n, latent) -> (n, *shape), the mean of p(x|z).

    Departures:
        As `vae`; one stochastic layer (two are `ladder-vae`'s). The opening is ours.

    Example:
        >>> import nacre
        >>> model = nacre.create("iwae", nacre.load_data("digits").spec, latent=2, k=10)
        >>> model.sample(3, seed=0).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Burda, Grosse, Salakhutdinov. Importance weighted autoencoders. 2016. arXiv 1509.00519.
        Tucker et al. Doubly reparameterized gradient estimators for Monte Carlo objectives. 2019. arXiv 1810.04152.
    """

    title: ClassVar[str] = "Importance-weighted autoencoder"
    paper: ClassVar[str] = "Burda et al. 2016; Tucker et al. 2019"

    def __init__(
        self,
        spec: Spec,
        latent: int = 20,
        hidden: tuple[int, ...] = (400,),
        channels: int = 32,
        network: coder.Network = "auto",
        likelihood: likelihoods.Name = "auto",
        k: int = 5,
        doubly: bool = True,
        activation: str = "relu",
        opening: float = 0.0,
        kl_warmup: float = 0.0,
    ) -> None:
        super().__init__(
            spec, latent, hidden, channels, network, likelihood, kl_warmup=kl_warmup, activation=activation
        )
        at_least(1, k=k)
        share(opening=opening)
        if kl_warmup and not opening:
            raise NacreError("kl_warmup belongs to the opening and there is none; add --opening 0.9, or leave it out.")
        self.k, self.doubly, self.opening = k, doubly, opening

    def phases(self) -> list[Phase]:
        """The opening, then k draws, whose learning rate must not undo it."""
        if not self.opening:
            return super().phases()
        return [
            Phase("one draw", super().turns, self.opening),
            Phase(f"{self.k} draws", self.turns, 1 - self.opening, rate=1 / 3),
        ]

    def turns(self) -> list[Turn]:
        """One turn: everybody maximises the bound."""
        return [Turn((self.encoder, self.decoder, self.likelihood), self.negative_bound, compile=not self.doubly)]

    def negative_bound(self, batch: Batch) -> Tensor:
        """-E[log 1/k sum_i w_i] in nats per example, with the estimator's gradient."""
        x = batch.x.repeat_interleave(self.k, 0)
        h = self.posterior(batch.x).repeat_interleave(self.k, 0)
        z = self.latents.draw(h, self.progress)
        inner = GradientScale.attach(z) if self.doubly else None
        log_q_of = h.detach() if self.doubly else h
        z = inner.z if inner else z
        log_w = self.log_ratio(z, log_q_of) - self.likelihood.nll(self.decoder(z), x)
        log_w = log_w.view(-1, self.k)
        bound = torch.logsumexp(log_w, 1) - math.log(self.k)
        if inner:
            inner.weight = log_w.detach().softmax(1).view(-1, 1)
        return -bound.mean()


class GradientScale:
    """A point of the graph whose gradient is multiplied by a weight that is known only later, after the forward pass.

    Args:
        z: The same values as the tensor given, through which the gradient passes.
    """

    def __init__(self, z: Tensor) -> None:
        self.z, self.weight = z, torch.ones(())

    @classmethod
    def attach(cls, z: Tensor) -> "GradientScale":
        """Put such a point behind a tensor."""
        scale = cls(z.view_as(z))
        if z.requires_grad:
            scale.z.register_hook(lambda gradient: (gradient * scale.weight).to(gradient.dtype))
        return scale
