"""Ladder VAE: two layers of latents, inferred from the top down with the data's evidence from the bottom up."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.game import Batch, Turn
from nacre.losses.divergences import gaussian_kl_terms
from nacre.losses.likelihoods import gaussian_log_density
from nacre.model import inference
from nacre.models.autoencoders.vae import VAE
from nacre.nets import likelihood as likelihoods
from nacre.nets.mlp import activation as make_activation
from nacre.nets.mlp import mlp
from nacre.nets.scale import unrounded


class LadderVAE(VAE):
    r"""Maximise E[log p(x|z1)] - KL(q(z1|x, z2) || p(z1|z2)) - KL(q(z2|x) || N(0, I)).

    Going up, the data give each layer a mean and a variance. Coming down, q(z1|x, z2) weighs them with those of
    p(z1|z2) by their precisions: what the layer above knows, the one below need not tell again.

    Algorithm: equations 13 to 19.

    Args:
        spec: The data.
        latent: Size of z1, the layer next to the data, 1 or more.
        top: Size of z2, 1 or more.
        hidden: Units of the two dense layers between the data and z1, and as many again between z1 and z2 (half as
            wide).
        likelihood: Of p(x|z1), as in `vae`.
        kl_warmup: Share of training over which the weight of both divergences rises from 0, in [0, 1).
        activation: Of the hidden layers.

    Shapes:
        encode: (n, *shape) -> (n, latent), the mean of q(z1|x, z2) at the mean of z2. decode: (n, latent) ->
        (n, *shape), the mean of p(x|z1).

    Departures:
        No batch norm, which the paper needs for five layers; two layers of latents instead of five.

    Example:
        >>> import nacre
        >>> model = nacre.create("ladder-vae", nacre.load_data("digits").spec, latent=8, top=4)
        >>> model.sample(3, seed=0).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Sonderby, Raiko, Maaloe, Sonderby, Winther. Ladder variational autoencoders. 2016. arXiv 1602.02282.
    """

    title: ClassVar[str] = "Ladder variational autoencoder"
    paper: ClassVar[str] = "Sonderby et al. 2016, equations 13-19"

    def __init__(
        self,
        spec: Spec,
        latent: int = 32,
        top: int = 16,
        hidden: tuple[int, ...] = (400, 400),
        likelihood: likelihoods.Name = "auto",
        kl_warmup: float = 0.1,
        activation: str = "relu",
    ) -> None:
        at_least(1, latent=latent, top=top, hidden=hidden)
        if not hidden:
            raise NacreError("hidden is empty; give one layer at least, such as --hidden 400.")
        super().__init__(
            spec, latent, hidden, network="dense", likelihood=likelihood, kl_warmup=kl_warmup, activation=activation
        )
        width, between = hidden[-1], max(1, hidden[-1] // 2)
        self.encoder = nn.Sequential(nn.Flatten(), *mlp([spec.size, *hidden], activation), make_activation(activation))
        self.evidence = nn.Linear(width, 2 * latent)
        self.upper_encoder = mlp([width, between, 2 * top], activation)
        self.upper_decoder = mlp([top, between, between, 2 * latent], activation)
        self.top = top

    def turns(self) -> list[Turn]:
        """One turn: everybody maximises the bound."""
        players = (self.encoder, self.evidence, self.upper_encoder, self.upper_decoder, self.decoder, self.likelihood)
        return [Turn(players, self.negative_elbo)]

    def negative_elbo(self, batch: Batch) -> dict[str, Tensor]:
        """-ELBO in nats per example: reconstruction and the (weighted) divergence of each layer."""
        z1, lower, upper = self.infer(self.posterior(batch.x))
        weight = self.weight()
        return {
            "reconstruction": self.likelihood.nll(self.decoder(z1), batch.x).mean(),
            "kl": weight * lower.sum(1).mean(),
            "kl_top": weight * upper.sum(1).mean(),
        }

    def posterior(self, x: Tensor) -> Tensor:
        """The evidence for z1 and q(z2|x), each as mean and log-variance: (n, *shape) -> (n, 2 latent + 2 top)."""
        upwards = self.encoder(self.from_data(x))
        return unrounded(torch.cat([self.evidence(upwards), self.upper_encoder(upwards)], dim=1))

    def infer(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A draw of z1 and the divergences of the two layers by variable: (n, latent), (n, latent), (n, top)."""
        mean2, logvar2 = h[:, 2 * self.latent :].chunk(2, dim=1)
        z2 = mean2 + torch.randn_like(mean2) * (logvar2 / 2).exp()
        mean, logvar, prior_mean, prior_logvar = self.lower(h, z2)
        z1 = mean + torch.randn_like(mean) * (logvar / 2).exp()
        return z1, gaussian_kl_terms(mean, logvar, prior_mean, prior_logvar), gaussian_kl_terms(mean2, logvar2)

    def lower(self, h: Tensor, z2: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean and log-variance of q(z1|x, z2) and of p(z1|z2), each (n, latent)."""
        mean_x, logvar_x = h[:, : 2 * self.latent].chunk(2, dim=1)
        prior_mean, prior_logvar = unrounded(self.upper_decoder(z2)).chunk(2, dim=1)
        # by logarithms, since precisions themselves overflow while a small weight of the KL lets variances vanish
        mean = torch.lerp(prior_mean, mean_x, (prior_logvar - logvar_x).sigmoid())
        return mean, -torch.logaddexp(-logvar_x, -prior_logvar), prior_mean, prior_logvar

    def features(self, x: Tensor) -> Tensor:
        """The mean of q(z1|x, z2) at the mean of z2, differentiable: (n, *shape) -> (n, latent)."""
        h = self.posterior(x)
        return self.lower(h, h[:, 2 * self.latent :].chunk(2, dim=1)[0])[0]

    def noise(self, n: int) -> Tensor:
        """N draws of z1 from the prior, through z2 ~ N(0, I): shape (n, latent)."""
        mean, logvar = self.upper_decoder(torch.randn(n, self.top, device=self.device)).chunk(2, dim=1)
        return mean + torch.randn_like(mean) * (logvar / 2).exp()

    @inference
    def redraw(self, x: Tensor) -> Tensor:
        """A draw of p(x'|z1), of images the mean, for one draw of both layers given x: shape (n, *shape)."""
        return self.likelihood.sample(self.decoder(self.infer(self.posterior(x))[0]))

    @inference
    def bound_terms(self, x: Tensor) -> Tensor:
        """-log p(x|z1) for one draw, then the divergence by variable: nats, (n, 1 + latent + top)."""
        z1, lower, upper = self.infer(self.posterior(x))
        return torch.cat([self.likelihood.nll(self.decoder(z1), x)[:, None], lower, upper], dim=1)

    def log_weight(self, x: Tensor, h: Tensor) -> Tensor:
        """Log p(x|z1) p(z1|z2) p(z2) / (q(z1|x, z2) q(z2|x)) of one draw for each example, shape (n,)."""
        mean2, logvar2 = h[:, 2 * self.latent :].chunk(2, dim=1)
        z2 = mean2 + torch.randn_like(mean2) * (logvar2 / 2).exp()
        mean, logvar, prior_mean, prior_logvar = self.lower(h, z2)
        z1 = mean + torch.randn_like(mean) * (logvar / 2).exp()
        log_p = gaussian_log_density(z1, prior_mean, prior_logvar) + gaussian_log_density(z2)
        log_q = gaussian_log_density(z1, mean, logvar) + gaussian_log_density(z2, mean2, logvar2)
        return log_p - log_q - self.likelihood.nll(self.decoder(z1), x)
