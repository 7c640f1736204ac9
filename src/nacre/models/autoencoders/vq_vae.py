"""VQ-VAE: an autoencoder whose code is a list of entries of a learned codebook, and a prior over such lists."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding

from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.game import Batch, Phase, Turn
from nacre.model import Model, inference
from nacre.nets import coder
from nacre.nets import likelihood as likelihoods
from nacre.nets.scale import FromData

DEAD_AFTER = 100


class VQVAE(Model):
    r"""Minimise -log p(x|e) + |sg(h) - e|^2 + commitment |h - sg(e)|^2, e the codebook's entries nearest to h(x).

    The decoder's gradient is handed straight through from e to h; sg stops a gradient. Then an autoregressive prior of
    the indices is fitted, P(c) = prod_i P(c_i | c_1 ... c_{i-1}), so that new examples can be drawn.

    Algorithm: equation 3 and section 3.3.

    Args:
        spec: The data.
        latent: Indices in a code, 1 or more.
        entries: Of the codebook, 2 or more.
        width: Size of an entry, 1 or more.
        hidden: Units of the dense hidden layers, from the data inwards; unused by conv.
        channels: Channels of the finest convolutional map; unused by dense networks.
        network: Dense, convolutional, with the residual blocks of `conv-vae`, or by the data's shape.
        likelihood: Of p(x|e), as in `vae`.
        commitment: Weight of the encoder's staying near the codebook, 0 or more.
        memory: Units of the prior's recurrent layer, 1 or more.
        prior: Share of the steps that fit the prior, in (0, 1).
        activation: Of the hidden layers.

    Shapes:
        encode: (n, *shape) -> (n, latent * width), the entries. decode: back, to the entries nearest and to x.

    Departures:
        The code is a list from a dense layer and not a map, so that any data have one; its prior is a gated recurrent
        network and not a PixelCNN. The two squared distances are summed over the entry's values. Entries that were the
        nearest to nothing for 100 steps are moved to vectors of the batch; without that all examples may fall on two.

    Example:
        >>> import nacre
        >>> model = nacre.create("vq-vae", nacre.load_data("digits").spec, latent=4, entries=16)
        >>> model.sample(3, seed=0).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        van den Oord, Vinyals, Kavukcuoglu. Neural discrete representation learning. 2017. arXiv 1711.00937.
    """

    title: ClassVar[str] = "Vector-quantised VAE"
    paper: ClassVar[str] = "van den Oord et al. 2017, equation 3"
    density: ClassVar[str] = "explicit, approximate"
    smooth: ClassVar[bool] = False
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine"}

    idle: Tensor
    seen: Tensor

    def __init__(
        self,
        spec: Spec,
        latent: int = 16,
        entries: int = 64,
        width: int = 16,
        hidden: tuple[int, ...] = (400,),
        channels: int = 32,
        network: coder.Network = "auto",
        likelihood: likelihoods.Name = "auto",
        commitment: float = 0.25,
        memory: int = 128,
        prior: float = 0.3,
        activation: str = "relu",
    ) -> None:
        super().__init__(spec)
        at_least(1, latent=latent, width=width, hidden=hidden, channels=channels, memory=memory)
        at_least(2, entries=entries)
        at_least(0, commitment=commitment)
        if not 0 < prior < 1:
            raise NacreError(f"prior is {prior}; it must lie between 0 and 1.")
        self.codes, self.latent, self.width = latent, latent * width, width
        self.commitment, self.prior_share = commitment, prior
        self.likelihood = likelihoods.make_likelihood(likelihood, spec)
        self.from_data = FromData(spec)
        self.encoder = coder.encoder(spec, self.latent, hidden, channels, network, activation)
        self.decoder = coder.decoder(spec, self.latent, hidden, channels, network, activation, self.likelihood.outputs)
        self.codebook = nn.Embedding(entries, width)
        self.register_buffer("idle", torch.zeros(entries, dtype=torch.int64), persistent=False)
        self.register_buffer("seen", torch.zeros(entries, width), persistent=False)
        self.prior = CodePrior(entries, memory)

    def phases(self) -> list[Phase]:
        """First the codes, then their prior."""
        return [
            Phase("codes", self.turns, 1 - self.prior_share),
            Phase("prior", self.prior_turns, self.prior_share),
        ]

    def turns(self) -> list[Turn]:
        """One turn: encoder, codebook and decoder together."""
        players = (self.encoder, self.codebook, self.decoder, self.likelihood)
        return [Turn(players, self.code_loss, after=self.revive)]

    def prior_turns(self) -> list[Turn]:
        """One turn: the prior learns the codes of the data."""
        return [Turn(self.prior, self.prior_loss)]

    def code_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Reconstruction in nats, and the squared distances of h and e, each moved by one of them."""
        h = self.vectors(batch.x)
        indices = self.nearest(h)
        self.note(h.detach(), indices)
        e = self.codebook(indices)
        straight = h + (e - h).detach()
        distance = (e - h.detach()).square().sum((1, 2)), (h - e.detach()).square().sum((1, 2))
        return {
            "reconstruction": self.likelihood.nll(self.decoder(straight.flatten(1)), batch.x).mean(),
            "codebook": distance[0].mean(),
            "commitment": self.commitment * distance[1].mean(),
        }

    @torch.no_grad()
    def note(self, h: Tensor, indices: Tensor) -> None:
        """Count for how many steps in a row each entry was the nearest to nothing, and keep vectors to revive it by."""
        used = torch.zeros_like(self.idle).index_fill(0, indices.flatten(), 1)
        self.idle.copy_(torch.where(used > 0, 0, self.idle + 1))
        rows = h.flatten(0, 1)
        chosen = (torch.rand_like(self.seen[:, 0]) * len(rows)).long().clamp(max=len(rows) - 1)
        self.seen.copy_(rows[chosen])

    @torch.no_grad()
    def revive(self) -> None:
        """Move entries that have been idle for 100 steps to vectors of the last batch."""
        dead = self.idle >= DEAD_AFTER
        self.codebook.weight.copy_(torch.where(dead[:, None], self.seen, self.codebook.weight))
        self.idle.masked_fill_(dead, 0)

    def prior_loss(self, batch: Batch) -> Tensor:
        """-log P(c) of the batch's codes, in nats per example."""
        return -self.prior.log_prob(self.indices(batch.x)).mean()

    def vectors(self, x: Tensor) -> Tensor:
        """H: (n, *shape) -> (n, codes, width)."""
        return self.encoder(self.from_data(x)).view(-1, self.codes, self.width)

    def nearest(self, h: Tensor) -> Tensor:
        """The index of the nearest entry: (n, codes, width) -> int64 (n, codes)."""
        weight = self.codebook.weight
        return (weight.square().sum(1) - 2 * h @ weight.T).argmin(2)

    def indices(self, x: Tensor) -> Tensor:
        """The code of each example: (n, *shape) -> int64 (n, codes)."""
        return self.nearest(self.vectors(x))

    def features(self, x: Tensor) -> Tensor:
        """H, differentiable, before it is quantised: (n, *shape) -> (n, codes * width)."""
        return self.vectors(x).flatten(1)

    def noise(self, n: int) -> Tensor:
        """The entries of n codes drawn from the prior, shape (n, codes * width)."""
        return self.codebook(self.prior.sample(n, self.codes)).flatten(1)

    @inference
    def sample(self, n: int) -> Tensor:
        """N draws of p(x|e) for codes drawn from the prior, of images the means: shape (n, *shape)."""
        return self.likelihood.sample(self.decoder(self.noise(n)))

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """The entries of the code, shape (n, codes * width)."""
        return self.codebook(self.indices(x)).flatten(1)

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """The mean of p(x|e) for the entries nearest to z, shape (n, *shape)."""
        e = self.codebook(self.nearest(z.view(-1, self.codes, self.width)))
        return self.likelihood.mean(self.decoder(e.flatten(1)))

    @inference
    def score_samples(self, x: Tensor) -> Tensor:
        """The bound log p(x|e) + log P(c) <= log p(x) in nats, shape (n,); it holds since q(c|x) is certain of c."""
        return -self.terms(x).sum(1)

    @inference
    def bound_terms(self, x: Tensor) -> Tensor:
        """-log p(x|e), then -log P(c): nats, (n, 2)."""
        return self.terms(x)

    def terms(self, x: Tensor) -> Tensor:
        """The two parts of the bound with their signs changed, (n, 2)."""
        c = self.indices(x)
        nll = self.likelihood.nll(self.decoder(self.codebook(c).flatten(1)), x)
        return torch.stack([nll, -self.prior.log_prob(c)], dim=1)


class CodePrior(nn.Module):
    """P(c) = prod_i P(c_i | c_1 ... c_{i-1}) by a gated recurrent network.

    Args:
        entries: Values of an index, 2 or more.
        memory: Units, 1 or more.
    """

    def __init__(self, entries: int, memory: int) -> None:
        super().__init__()
        self.entries = entries
        self.before = nn.Embedding(entries + 1, memory)  # the last one stands before the first index
        self.cell = nn.GRUCell(memory, memory)
        self.after = nn.Linear(memory, entries)

    def advance(self, previous: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the next index and the new state: int64 (n,), (n, memory) -> (n, entries), (n, memory)."""
        state = self.cell(embedding(previous, self.before.weight), state)
        return self.after(state), state

    def start(self, n: int) -> tuple[Tensor, Tensor]:
        """What stands before the first index: int64 (n,) and (n, memory)."""
        weight = self.before.weight
        return weight.new_full((n,), self.entries, dtype=torch.int64), weight.new_zeros(n, weight.shape[1])

    def log_prob(self, c: Tensor) -> Tensor:
        """Log P(c) in nats: int64 (n, codes) -> (n,)."""
        previous, state = self.start(len(c))
        total = state.new_zeros(len(c))
        for index in c.unbind(1):
            logits, state = self.advance(previous, state)
            total = total - cross_entropy(logits, index, reduction="none")
            previous = index
        return total

    def sample(self, n: int, codes: int) -> Tensor:
        """N codes, int64 (n, codes)."""
        previous, state = self.start(n)
        drawn = []
        for _ in range(codes):
            logits, state = self.advance(previous, state)
            previous = torch.multinomial(logits.softmax(1), 1)[:, 0]
            drawn.append(previous)
        return torch.stack(drawn, 1)
