"""LSTM: strings and tables symbol by symbol, by maximum likelihood."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.game import Batch, Turn
from nacre.model import Model, inference
from nacre.nets.recurrent import Symbols, Writer, drawn


class LSTM(Model):
    r"""Maximise log p(x) = sum_t log p(x_t | x_1, ..., x_{t-1}), each term a softmax of a recurrent network's state.

    The reference for games over discrete data: the same network as the generator of `gs-gan`, with an exact likelihood.
    The columns of a table are read in their order; a number is one of its bins, so that log p is that of the binned
    table, a probability and not a density.

    Algorithm: none; each step follows the gradient of log p(x), the true symbols before x_t being given.

    Args:
        spec: Strings or a table; numbers are binned, and any other data are a row of numbers.
        hidden: Size of the state, 1 or more.
        bins: Of a number, 2 or more.

    Shapes:
        sample: (n, *shape), symbol numbers. score_samples: (n, *shape) -> (n,).

    Departures:
        Symbols and not bytes or pixels are predicted; one layer of cells without peepholes.

    Example:
        >>> import nacre
        >>> data = nacre.load_data("grammar")
        >>> nacre.create("lstm", data.spec).score_samples(data.x[:3]).shape
        torch.Size([3])

    Reference:
        Graves. Generating sequences with recurrent neural networks. 2013. arXiv 1308.0850.
    """

    title: ClassVar[str] = "Recurrent language model"
    paper: ClassVar[str] = "Graves 2013, section 2"
    density: ClassVar[str] = "explicit tractable"
    mixed: ClassVar[bool] = True
    shown_for: ClassVar[str] = "grammar"
    defaults: ClassVar[dict[str, object]] = {"lr": 2e-3, "batch_size": 64, "schedule": "cosine"}

    def __init__(self, spec: Spec, hidden: int = 64, bins: int = 20) -> None:
        super().__init__(spec)
        at_least(1, hidden=hidden)
        self.latent = 0
        self.symbols = Symbols(spec, bins)
        self.writer = Writer(self.symbols, hidden)

    def begin(self, data: Data) -> None:
        """Cut the numbers of a table into bins."""
        self.symbols.begin(data)

    def turns(self) -> list[Turn]:
        """One turn of the writer."""
        return [Turn(self.writer, self.likelihood_loss, compile=False)]  # a graph unrolled over all places

    def likelihood_loss(self, batch: Batch) -> Tensor:
        """-E[log p(x)] in nats."""
        return -self.log_prob(batch.x).mean()

    def log_prob(self, x: Tensor) -> Tensor:
        """Log p(x) in nats: (n, *shape) -> (n,)."""
        true = self.symbols.split(self.symbols.hot(x))
        terms: list[Tensor] = []

        def given(place: int, logits: Tensor) -> Tensor:
            terms.append(cross_entropy(logits, true[place].argmax(1), reduction="none"))
            return true[place]

        self.writer(self.noise(len(x)), self.symbols, given)
        return -torch.stack(terms).sum(0)

    @inference
    def sample(self, n: int) -> Tensor:
        """Rows drawn symbol by symbol, shape (n, *shape)."""
        noise = self.symbols.noise(n)
        row = self.writer(self.noise(n), self.symbols, lambda place, logits: drawn(logits + noise[place]))
        return self.symbols.values(row)

    @inference
    def score_samples(self, x: Tensor) -> Tensor:
        """Log p(x) in nats, shape (n,)."""
        return self.log_prob(x)
