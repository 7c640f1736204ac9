"""Variational autoencoder: an encoder and a decoder trained to maximise a bound on log p(x)."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least, share
from nacre.game import Batch, Turn
from nacre.losses.divergences import geometric_js_terms, mmd
from nacre.losses.importance import importance_bound
from nacre.model import Model, inference
from nacre.nets import coder, latents
from nacre.nets import likelihood as likelihoods
from nacre.nets.scale import FromData, unrounded


class VAE(Model):
    r"""Maximise the evidence lower bound by the reparametrised gradient.

    ELBO(x) = E_{q(z|x)}[log p(x|z)] - beta KL(q(z|x) || p(z)); by default q(z|x) = N(mean(x), diag exp(logvar(x))) and
    p(z) = N(0, I). The regulariser may instead be the skew-geometric Jensen-Shannon divergence, or that of InfoVAE,
    (1 - info) KL(q(z|x) || p(z)) + (info + mmd - 1) MMD(q(z), p(z)).

    Algorithm: 1 (Auto-Encoding VB) with the estimator of its equation 10, one draw of z per example.

    Args:
        spec: The data.
        latent: Latent variables, 1 or more.
        hidden: Units of the dense hidden layers, from the data inwards; unused by conv.
        channels: Channels of the finest convolutional map; unused by dense networks.
        network: Dense, convolutional, with the residual blocks of `conv-vae`, or by the data's shape.
        likelihood: Of p(x|z): bernoulli, continuous-bernoulli, gaussian with one learned variance, with the data's own
            (fixed) or one predicted for every value (pixel), discretised-logistic for 8-bit images; auto: bernoulli for
            images and for values of 0 and 1, else gaussian.
        distribution: Of z: normal, log-normal, categorical (Gumbel-softmax) or bernoulli.
        categories: Of every categorical variable, 2 or more.
        temperature: Of the relaxation of discrete variables, at the beginning and at the end; positive.
        straight_through: Whether discrete variables are discrete in training too.
        rao_blackwell: Conditional noises that the gradient of a categorical variable is averaged over; 0 for none.
        regulariser: What pulls q(z|x) to the prior: kl, js or mmd; the last two for normal latents.
        beta: Weight of the regulariser; 1 with kl is the bound itself.
        kl_warmup: Share of training over which the weight of the regulariser rises from 0, in [0, 1).
        free_bits: Nats that every latent variable may tell, on average over a batch, without being charged; 0 or more.
        skew: Of js, in [0, 1]: 0 is KL(q || p), 1 is KL(p || q).
        info: Weight of the mutual information, alpha of InfoVAE; at most 1.
        mmd: Weight of the discrepancy, lambda of InfoVAE; 0 or more.
        activation: Of the hidden layers.

    Shapes:
        encode: (n, *shape) -> (n, size of z), the mean of q(z|x). decode: back, the mean of p(x|z). The size of z is
        `latent`, times `categories` for categorical variables.

    Departures:
        Adam with decaying averages of the weights instead of Adagrad; a 400-unit ReLU net instead of tanh.
        Grey values in [0, 1] are taken as Bernoulli probabilities (the usual cross-entropy), which bounds the
        likelihood of the binarised image and is no density of the grey one.
        Discrete latents: the KL is that of the discrete distributions, not of the relaxed ones.

    Example:
        >>> import nacre
        >>> model = nacre.create("vae", nacre.load_data("digits").spec, latent=2)
        >>> model.sample(3, seed=0).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Kingma, Welling. Auto-Encoding Variational Bayes. 2014. arXiv 1312.6114. Higgins et al. beta-VAE. 2017.
        Kingma et al. Improving variational inference with inverse autoregressive flow. 2016 (free bits).
        Deasy et al. Constraining variational inference with geometric Jensen-Shannon divergence. 2020.
        Zhao, Song, Ermon. InfoVAE: balancing learning and inference in variational autoencoders. 2019.
    """

    title: ClassVar[str] = "Variational autoencoder"
    paper: ClassVar[str] = "Kingma & Welling 2014, Algorithm 1"
    density: ClassVar[str] = "explicit, approximate"
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine"}
    only_with: ClassVar[dict[str, tuple[str, tuple[str, ...]]]] = {
        "categories": ("distribution", ("categorical",)),
        "rao_blackwell": ("distribution", ("categorical",)),
        "temperature": ("distribution", ("categorical", "bernoulli")),
        "straight_through": ("distribution", ("categorical", "bernoulli")),
        "skew": ("regulariser", ("js",)),
        "info": ("regulariser", ("mmd",)),
        "mmd": ("regulariser", ("mmd",)),
    }

    def __init__(
        self,
        spec: Spec,
        latent: int = 20,
        hidden: tuple[int, ...] = (400,),
        channels: int = 32,
        network: coder.Network = "auto",
        likelihood: likelihoods.Name = "auto",
        distribution: latents.Name = "normal",
        categories: int = 10,
        temperature: tuple[float, float] = (1.0, 0.5),
        straight_through: bool = False,
        rao_blackwell: int = 0,
        regulariser: Literal["kl", "js", "mmd"] = "kl",
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        free_bits: float = 0.0,
        skew: float = 0.5,
        info: float = 1.0,
        mmd: float = 100.0,
        activation: str = "relu",
    ) -> None:
        super().__init__(spec)
        at_least(1, latent=latent, hidden=hidden, channels=channels)
        at_least(0, beta=beta, free_bits=free_bits, mmd=mmd)
        share(kl_warmup=kl_warmup)
        if not 0 <= skew <= 1:
            raise NacreError(f"skew is {skew}; it must lie in [0, 1].")
        if info > 1:
            raise NacreError(f"info is {info}; it must be at most 1.")
        if regulariser == "mmd" and info + mmd < 1:
            raise NacreError(f"info + mmd is {info + mmd:g}; it must be at least 1, or the discrepancy would grow.")
        if regulariser != "kl" and free_bits:
            raise NacreError(f"free_bits are those of the kl; leave them out with the regulariser {regulariser}.")
        self.latents = latents.make_latents(
            distribution, latent, categories, temperature, straight_through, rao_blackwell
        )
        if regulariser != "kl" and type(self.latents) is not latents.Normal:
            raise NacreError(f"the regulariser {regulariser} needs normal latents; use --distribution normal.")
        self.latent, self.regulariser = self.latents.size, regulariser
        self.beta, self.kl_warmup, self.free_bits = beta, kl_warmup, free_bits
        self.skew, self.info, self.mmd = skew, info, mmd
        self.likelihood = likelihoods.make_likelihood(likelihood, spec)
        self.from_data = FromData(spec)
        self.encoder = coder.encoder(spec, self.latents.width, hidden, channels, network, activation)
        self.decoder = coder.decoder(spec, self.latent, hidden, channels, network, activation, self.likelihood.outputs)

    def turns(self) -> list[Turn]:
        """One turn: everybody maximises the bound."""
        return [Turn((self.encoder, self.decoder, self.likelihood), self.negative_elbo)]

    def negative_elbo(self, batch: Batch) -> dict[str, Tensor]:
        """-ELBO in nats per example: reconstruction and the (weighted) regulariser."""
        h = self.posterior_of(batch)
        z = self.latents.draw(h, self.progress)
        nll = self.likelihood.nll(self.decoder(z), batch.x).mean()
        weight = self.weight()
        return {"reconstruction": nll, **{name: weight * value for name, value in self.regularisation(h, z).items()}}

    def posterior_of(self, batch: Batch) -> Tensor:
        """What the encoder says of q(z|x) for a training batch, (n, width)."""
        return self.posterior(batch.x)

    def weight(self) -> Tensor | float:
        """The weight of the regulariser now: beta, after the warm-up."""
        return self.beta * (self.progress / self.kl_warmup).clamp(max=1) if self.kl_warmup else self.beta

    def regularisation(self, h: Tensor, z: Tensor) -> dict[str, Tensor]:
        """What pulls q(z|x) to the prior, averaged over the batch.

        Args:
            h: What the encoder says of the batch (n, width).
            z: The draws that were decoded (n, size).
        """
        if self.regulariser == "js":
            return {"js": geometric_js_terms(*h.chunk(2, dim=1), skew=self.skew).sum(1).mean()}
        kl = self.kl_terms(h, z).mean(0)
        kl = kl.clamp(min=self.free_bits).sum() if self.free_bits else kl.sum()
        if self.regulariser == "kl":
            return {"kl": kl}
        discrepancy = mmd(z, self.noise(len(z)))
        return {"kl": (1 - self.info) * kl, "mmd": (self.info + self.mmd - 1) * discrepancy}

    def kl_terms(self, h: Tensor, z: Tensor) -> Tensor:
        """KL(q(z|x) || p(z)) in nats by latent variable, (n, latent); subclasses may estimate it from the draws z."""
        return self.latents.kl(h)

    def log_ratio(self, z: Tensor, h: Tensor) -> Tensor:
        """Log p(z) - log q(z|x) of exact draws, shape (n,)."""
        return self.latents.log_ratio(z, h)

    def posterior(self, x: Tensor) -> Tensor:
        """What the encoder says of q(z|x), for `latents` to read: (n, *shape) -> (n, width)."""
        return unrounded(self.encoder(self.from_data(x)))

    def noise(self, n: int) -> Tensor:
        """N draws from the prior, shape (n, size of z)."""
        return self.latents.prior(n, self.device)

    def features(self, x: Tensor) -> Tensor:
        """The mean of q(z|x), differentiable: (n, *shape) -> (n, size of z)."""
        return self.latents.code(self.posterior(x))

    @inference
    def sample(self, n: int) -> Tensor:
        """N draws of p(x|z) with z from the prior, of images the means: shape (n, *shape)."""
        return self.likelihood.sample(self.decoder(self.noise(n)))

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """The mean of q(z|x), shape (n, size of z)."""
        return self.features(x)

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """The mean of p(x|z), shape (n, *shape)."""
        return self.likelihood.mean(self.decoder(z))

    @inference
    def redraw(self, x: Tensor) -> Tensor:
        """A draw of p(x'|z), of images the mean, for one draw of z ~ q(z|x): shape (n, *shape)."""
        return self.likelihood.sample(self.decoder(self.latents.draw_exactly(self.posterior(x))))

    @inference
    def bound_terms(self, x: Tensor) -> Tensor:
        """-log p(x|z) for one exact draw of z, then KL(q(z|x) || p(z)) by latent variable: nats, (n, 1 + latent)."""
        h = self.posterior(x)
        z = self.latents.draw_exactly(h)
        return torch.cat([self.likelihood.nll(self.decoder(z), x)[:, None], self.kl_terms(h, z)], dim=1)

    @inference
    def importance(self, x: Tensor, draws: int = 1) -> Tensor:
        """The bound of `score_samples` and the effective number of its draws, shape (n, 2).

        Args:
            x: Shape (n, *shape).
            draws: k, 1 or more.
        """
        return importance_bound(self.log_weight, x, self.posterior(x), draws=draws)

    def log_weight(self, x: Tensor, h: Tensor) -> Tensor:
        """Log p(x|z) p(z) / q(z|x) of one exact draw z ~ q(z|x) for each example, shape (n,).

        Args:
            x: Shape (n, *shape).
            h: What the encoder says of it (n, width).
        """
        z = self.latents.draw_exactly(h)
        return self.log_ratio(z, h) - self.likelihood.nll(self.decoder(z), x)

    @inference
    def score_samples(self, x: Tensor, draws: int = 1) -> Tensor:
        """A lower bound on log p(x) in nats, shape (n,): the ELBO for one draw, tighter the more there are.

        log 1/k sum_i p(x|z_i) p(z_i) / q(z_i|x) with z_i ~ q(z|x). Burda et al. 2016, equation 8.

        Args:
            x: Shape (n, *shape).
            draws: k, 1 or more. One draw of the bound is noisy; its mean over examples is the ELBO.
        """
        return self.importance(x, draws=draws)[:, 0]
