"""Sparse autoencoder: few units of a wide code speak for each example."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.game import Batch, Turn
from nacre.losses.likelihoods import squared_error
from nacre.model import Model, inference
from nacre.nets.corruption import Corruption, Noise
from nacre.nets.rows import Rows
from nacre.nets.tied import Tied, layers

ACTIVATIONS = {"top-k": "identity", "kl": "sigmoid", "lifetime": "relu"}


class SparseAE(Model):
    """Minimise the squared error of the reconstruction from a code of which little is active.

    top-k: z = W x + b, of which the k largest units are kept and the others set to 0; k falls while training. Units
    that have long not been kept learn to explain what the kept ones leave: + revival |(x - x') - W'(z of the dead)|^2.
    kl: z = sigmoid(W x + b), of which every unit shall be active at the rate rho on average: + weight sum_j
    KL(rho || mean of z_j) with KL(p || q) = p log(p / q) + (1 - p) log((1 - p) / (1 - q)).
    lifetime: z = max(0, W x + b), of which every unit keeps the share rho, its largest values over the batch, so that
    none can die (winner-take-all); the code is z whole.
    With corruption the code is that of noise(x), and what it restores is the whole x.

    Algorithm: "k-Sparse Autoencoders" of Makhzani & Frey 2013, section 2.1, with the k schedule of its section 4.2.1.

    Args:
        spec: The data.
        latent: Units of the code, 1 or more; usually more than the data have values.
        sparsity: top-k, kl or lifetime.
        k: Units kept at the end of training, in [1, latent].
        start_k: Units kept at its beginning, at least k; the number falls linearly over the first half of training. 0
            takes 4 k.
        wider: Factor by which more units are kept when the trained model encodes, 1 or more.
        revival: Weight of the dead units' error, 0 or more.
        dead_after: Steps without being kept for any example after which a unit is dead, 1 or more.
        rate: rho of kl and of lifetime, in (0, 1).
        weight: Weight of the kl, 0 or more.
        noise: Values set to 0, normal noise added, or values set to their extremes; only in training.
        corruption: Share of the values that are damaged, in [0, 1), or the standard deviation of the normal noise; 0
            damages none.

    Shapes:
        encode: (n, *shape) -> (n, latent). decode: (n, latent) -> (n, *shape).

    Departures:
        The data's mean is taken off first. Lifetime sparsity has a tied linear decoder. Adam and an average of
        the weights instead of gradient descent with momentum. The revival is that of Gao et al. 2024 (without
        its normalisation of the errors). The kl takes the mean over a batch instead of all data, and a linear
        decoder with the encoder's weights. The noise, which is off by default, is that of denoising
        autoencoders.

    Example:
        >>> import nacre
        >>> model = nacre.create("sparse-ae", nacre.load_data("digits").spec, latent=200, k=10, start_k=40)
        >>> (model.encode(nacre.load_data("digits:test").examples(2).x) != 0).sum(1)
        tensor([10, 10])

    Reference:
        Makhzani, Frey. k-Sparse autoencoders. 2013. arXiv 1312.5663. Makhzani, Frey. Winner-take-all autoencoders.
        2015. arXiv 1409.2752, section 2. Ng. Sparse autoencoder, lecture notes. 2011. Gao et al. Scaling and evaluating
        sparse autoencoders. 2024.
    """

    title: ClassVar[str] = "Sparse autoencoder"
    paper: ClassVar[str] = "Makhzani & Frey 2013"
    density: ClassVar[str] = "none"
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine"}
    only_with: ClassVar[dict[str, tuple[str, tuple[str, ...]]]] = {
        **{name: ("sparsity", ("top-k",)) for name in ("k", "start_k", "wider", "revival", "dead_after")},
        "rate": ("sparsity", ("kl", "lifetime")),
        "weight": ("sparsity", ("kl",)),
        "noise": ("corruption", ()),
    }

    mean: Tensor
    kept: Tensor
    idle: Tensor

    def __init__(
        self,
        spec: Spec,
        latent: int = 1000,
        sparsity: Literal["top-k", "kl", "lifetime"] = "top-k",
        k: int = 25,
        start_k: int = 0,
        wider: float = 1.0,
        revival: float = 0.03,
        dead_after: int = 100,
        rate: float = 0.05,
        weight: float = 0.1,
        noise: Noise = "gaussian",
        corruption: float = 0.0,
    ) -> None:
        super().__init__(spec)
        at_least(1, latent=latent, k=k, wider=wider, dead_after=dead_after)
        at_least(0, revival=revival, weight=weight)
        start_k = start_k or min(4 * k, latent)
        if sparsity == "top-k" and not k <= start_k <= latent:
            raise NacreError(f"k is {k} and start_k {start_k}; choose k <= start_k <= latent ({latent}).")
        if sparsity == "top-k" and k * wider > latent:
            raise NacreError(f"k is {k} and wider {wider:g}, so that more than all {latent} units are kept; lower one.")
        if not 0 < rate < 1:
            raise NacreError(f"rate is {rate}; it must lie between 0 and 1.")
        self.latent, self.sparsity, self.revival, self.dead_after = latent, sparsity, revival, dead_after
        self.k, self.start_k, self.encoded_k, self.rate, self.weight = k, start_k, round(k * wider), rate, weight
        self.rows, self.corrupt = Rows(spec), Corruption(noise, corruption)
        self.encoder = layers([spec.size, latent], ACTIVATIONS[sparsity])
        self.decoder = Tied(self.encoder, "identity")
        self.register_buffer("mean", torch.zeros(spec.size))
        self.register_buffer("kept", torch.zeros(latent, dtype=torch.bool), persistent=False)
        self.register_buffer("idle", torch.zeros(latent, dtype=torch.int64), persistent=False)

    def begin(self, data: Data) -> None:
        """Centre on the data's mean."""
        self.mean.copy_(self.rows(data.examples(10_000).x.to(self.device)).mean(0))

    def turns(self) -> list[Turn]:
        """One turn: encoder and decoder together."""
        players = (self.encoder, self.decoder)
        if self.sparsity == "top-k":
            return [Turn(players, self.few_units, after=self.count)]
        return [Turn(players, self.rare_units if self.sparsity == "kl" else self.winners)]

    def few_units(self, batch: Batch) -> dict[str, Tensor]:
        """Squared error from the k largest units, and that of the dead ones on what is left, per example."""
        x, seen = self.restored(batch)
        z = self.encoder(seen)
        largest = z.topk(self.start_k, 1).values
        k = self.k + (self.start_k - self.k) * (1 - 2 * self.progress).clamp(min=0)
        keep = z >= largest.index_select(1, k.round().long()[None] - 1)  # (n, latent)
        with torch.no_grad():
            self.kept |= keep.any(0)
        x_ = self.decoder(z * keep)
        return {"reconstruction": squared_error(x_, x).mean(), "revival": self.revival * self.left(x - x_, z)}

    def left(self, rest: Tensor, z: Tensor) -> Tensor:
        """Squared error of the dead units that would be largest, on what the kept ones left over."""
        dead = self.idle >= self.dead_after
        best = z.masked_fill(~dead, -torch.inf).topk(self.k, 1)
        alive = best.values.isfinite()  # there may be fewer than k dead units
        values = torch.where(alive, best.values, 0)
        explained = self.decoder(torch.zeros_like(z).scatter(1, best.indices, values)) - self.decoder.biases[0]
        return dead.any() * squared_error(explained, rest.detach()).mean()

    def count(self) -> None:
        """Count for how many steps in a row each unit was kept for no example."""
        self.idle.copy_(torch.where(self.kept, 0, self.idle + 1))
        self.kept.zero_()

    def rare_units(self, batch: Batch) -> dict[str, Tensor]:
        """Squared error and the KL of the units' mean activity from the rate, per example."""
        x, seen = self.restored(batch)
        z = self.encoder(seen)
        return {
            "reconstruction": squared_error(self.decoder(z), x).mean(),
            "kl": self.weight * bernoulli_kl(self.rate, z.mean(0)).sum(),
        }

    def winners(self, batch: Batch) -> Tensor:
        """Squared error from the largest values of every unit over the batch, per example."""
        x, seen = self.restored(batch)
        z = self.encoder(seen)
        least = z.topk(max(1, round(self.rate * len(z))), 0).values[-1]  # of each unit, (latent,)
        return squared_error(self.decoder(z * (z >= least)), x).mean()

    def restored(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What is to be restored and what the encoder sees of it, without the mean, each (n, size)."""
        rows = self.rows(batch.x)
        return rows - self.mean, self.corrupt(rows, self.spec.bounded) - self.mean

    def centred(self, x: Tensor) -> Tensor:
        """Examples as rows without their mean: (n, *shape) -> (n, size)."""
        return self.rows(x) - self.mean

    def features(self, x: Tensor) -> Tensor:
        """The code, differentiable: (n, *shape) -> (n, latent)."""
        z = self.encoder(self.centred(x))
        if self.sparsity != "top-k":
            return z
        best = z.topk(self.encoded_k, 1)
        return torch.zeros_like(z).scatter(1, best.indices, best.values)

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """The code, shape (n, latent)."""
        return self.features(x)

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """The example of a code, shape (n, *shape), clamped to [0, 1] where the data are."""
        return self.rows.examples(self.decoder(z) + self.mean)


def bernoulli_kl(p: float, q: Tensor) -> Tensor:
    """KL of a coin of probability p from coins of probability q, in nats; same shape as q."""
    q = q.float().clamp(1e-6, 1 - 1e-6)  # in float32 a sigmoid reaches 0 and 1; in bf16 so would the bounds
    return p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
