"""Recurrent networks over rows of symbols: strings, or the columns of a table one after the other."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, one_hot

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.nets.table import TableLikelihood

State = tuple[Tensor, Tensor]


class Symbols(nn.Module):
    """Examples as rows of symbols and back: the places of a string, or the columns of a table.

    A row is the one-hot vectors of all places side by side. A string has the same alphabet in every place, and its
    places share their weights; a column of a table has its own categories, or the bins of a number, and weights of its
    own.

    Args:
        spec: Data of any kind; what is no string is a table.
        bins: Of a number, 2 or more.
    """

    def __init__(self, spec: Spec, bins: int) -> None:
        super().__init__()
        self.table = TableLikelihood(spec, bins)
        self.sizes, self.width = self.table.options, self.table.width
        self.tied = spec.kind == "sequence"
        self.alphabet = self.sizes[0] if self.tied else self.width

    def begin(self, data: Data) -> None:
        """Cut the numbers of the training data into bins."""
        self.table.begin(data)

    def hot(self, x: Tensor) -> Tensor:
        """The one-hot rows of examples: (n, *shape) -> (n, width)."""
        index = self.table.targets(x)
        return torch.zeros(len(x), self.width, device=x.device).scatter(1, index, 1.0)

    def values(self, hot: Tensor) -> Tensor:
        """The examples of one-hot rows, numbers drawn within their bins: (n, width) -> (n, *shape)."""
        return self.table.values(hot)

    def split(self, row: Tensor) -> list[Tensor]:
        """A row place by place: (n, width) -> (n, size) each."""
        return list(row.split(self.sizes, 1))

    def blocked(self) -> list[Tensor]:
        """What to add to the logits of every place: 0, or minus infinity for a bin that no example fills."""
        return list(torch.zeros_like(self.table.used).masked_fill(self.table.used == 0, -torch.inf).split(self.sizes))

    def noise(self, n: int) -> list[Tensor]:
        """Gumbel noise for the draw of every place, (n, size) each."""
        return self.split(gumbel(n, self.width, self.table.used.device))

    def by_place(self, weights: Tensor) -> list[Tensor]:
        """The weights of every place: (alphabet, ...) -> (size, ...) each, all the same for strings."""
        return [weights] * len(self.sizes) if self.tied else list(weights.split(self.sizes))

    def read(self, row: Tensor, weights: Tensor) -> list[Tensor]:
        """Every place times its weights: (n, width), (alphabet, d) -> (n, d) each."""
        if self.tied:
            return list((row.view(len(row), len(self.sizes), self.alphabet) @ weights).unbind(1))
        return [y @ own for y, own in zip(self.split(row), self.by_place(weights), strict=True)]


class Cell(nn.Module):
    """A long short-term memory that reads one symbol per step.

    c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c'), where (i, f, o, g) = W y + U h + b + what it is
    told. Written out, since the fused cells have no second derivative on every device.

    Args:
        alphabet: Rows of W, 1 or more.
        hidden: Size of h and c, 1 or more.

    Reference:
        Hochreiter, Schmidhuber. Long short-term memory. 1997.
        Gers, Schmidhuber, Cummins. Learning to forget: continual prediction with LSTM. 2000.
    """

    def __init__(self, alphabet: int, hidden: int) -> None:
        super().__init__()
        at_least(1, hidden=hidden)
        self.hidden = hidden
        self.symbol = nn.Parameter(torch.empty(alphabet, 4 * hidden).uniform_(-1, 1) * hidden**-0.5)
        self.state = nn.Parameter(torch.empty(hidden, 4 * hidden).uniform_(-1, 1) * hidden**-0.5)
        self.bias = nn.Parameter(torch.empty(4 * hidden).uniform_(-1, 1) * hidden**-0.5)
        with torch.no_grad():
            self.bias[hidden : 2 * hidden] += 1  # at first it remembers

    def begin(self, n: int) -> State:
        """The state before the first symbol, zero."""
        zero = self.symbol.new_zeros(n, self.hidden)
        return zero, zero

    def forward(self, said: Tensor, state: State) -> State:
        """The state after a symbol.

        Args:
            said: W y + b, and what else the cell is told: (n, 4 hidden).
            state: The state before it, (n, hidden) twice.
        """
        h, c = state
        gates, new = torch.addmm(said, h, self.state).split((3 * self.hidden, self.hidden), 1)
        i, f, o = gates.sigmoid().chunk(3, 1)
        c = f * c + i * new.tanh()
        return o * c.tanh(), c


class Writer(nn.Module):
    """Writes rows: the logits of every symbol follow from those before it, and from z if there is one.

    Args:
        symbols: What it writes.
        hidden: Size of its state, 1 or more.
        latent: Size of z, which it is told in every step; 0 for none.
    """

    def __init__(self, symbols: Symbols, hidden: int, latent: int = 0) -> None:
        super().__init__()
        self.cell = Cell(symbols.alphabet, hidden)
        self.start = nn.Parameter(torch.randn(4 * hidden))  # said before the first symbol
        self.told = nn.Linear(latent, 4 * hidden, bias=False) if latent else None
        self.weight = nn.Parameter(torch.empty(symbols.alphabet, hidden).uniform_(-1, 1) * hidden**-0.5)
        self.bias = nn.Parameter(torch.zeros(symbols.alphabet))

    def forward(self, z: Tensor, symbols: Symbols, choose: Callable[[int, Tensor], Tensor]) -> Tensor:
        """A row for every z, symbol by symbol: (n, latent) -> (n, width).

        Args:
            z: The latents; (n, 0) without any.
            symbols: What it writes.
            choose: Maps a place and its logits (n, size) to the symbol there (n, size), which is read next.
        """
        told = self.cell.bias.expand(len(z), -1) if self.told is None else self.told(z) + self.cell.bias
        said = told + self.start
        read, weights, biases = (symbols.by_place(w) for w in (self.cell.symbol, self.weight, self.bias))
        state, row = self.cell.begin(len(z)), []
        for place, blocked in enumerate(symbols.blocked()):
            state = self.cell(said, state)
            row.append(choose(place, linear(state[0], weights[place], biases[place]).float() + blocked))
            said = told + row[-1] @ read[place]
        return torch.cat(row, 1)


class Reader(nn.Module):
    """Reads a row and gives it a score, from its last state and the mean of all.

    Args:
        symbols: What it reads.
        hidden: Size of its state, 1 or more.
        bias: Whether the score has a bias.
    """

    def __init__(self, symbols: Symbols, hidden: int, bias: bool = True) -> None:
        super().__init__()
        self.cell = Cell(symbols.alphabet, hidden)
        self.head = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1, bias=bias))

    def forward(self, row: Tensor, symbols: Symbols) -> Tensor:
        """(n, width) -> (n, 1)."""
        state, states = self.cell.begin(len(row)), []
        for said in symbols.read(row, self.cell.symbol):
            state = self.cell(said + self.cell.bias, state)
            states.append(state[0])
        return self.head(torch.cat([state[0], torch.stack(states).mean(0)], 1))


def drawn(noisy: Tensor) -> Tensor:
    """The one-hot draw of a softmax from its logits plus Gumbel noise, (n, size)."""
    return one_hot(noisy.argmax(1), noisy.shape[1]).to(noisy.dtype)


def relaxed(noisy: Tensor, tau: Tensor | float, straight_through: bool) -> Tensor:
    """The Gumbel-softmax of logits plus noise (n, size), or the draw that it relaxes, with its gradient."""
    soft = (noisy / tau).softmax(1)
    return drawn(noisy) + (soft - soft.detach()) if straight_through else soft


def gumbel(n: int, width: int, device: torch.device) -> Tensor:
    """Standard Gumbel noise -log(-log u), (n, width)."""
    u = torch.rand(n, width, device=device).clamp(min=torch.finfo(torch.float32).tiny)
    return -(-u.log()).log()
