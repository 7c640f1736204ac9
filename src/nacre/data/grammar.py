"""Arithmetic expressions from a context-free grammar, with an exact parser and an exact probability."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nacre.data.parts import Part
from nacre.data.strings import BLANK

N_TRAIN = N_TEST = 5_000


@dataclass(frozen=True)
class Grammar:
    r"""The strings of S -> x | S+S | S-S | S*S | S/S with at most `length` places.

    The law is that of the probabilistic grammar with equally likely operators, given the number k of operators, and
    every k that fits is equally likely:

    $$p(s) = \frac 1 {K + 1}\; 4^{-k(s)}, \quad k = 0 \dots K, \quad K = \lfloor (\text{length} - 1) / 2 \rfloor$$

    All derivations of one string have the same operators, so given k each of the 4^k strings is equally likely whatever
    the probability of S -> x is. Unconditioned, at least 65 % of the strings that fit would be the single x.

    Args:
        operators: The characters that join two expressions.
        length: Places of a string, blanks at its end counted; 1 or more.
    """

    operators: str = "+-*/"
    length: int = 12

    @property
    def alphabet(self) -> str:
        """The symbols 0, 1, ...: the blank, the variable and the operators."""
        return f"{BLANK}x{self.operators}"

    @property
    def most(self) -> int:
        """K: the operators of the longest string."""
        return (self.length - 1) // 2

    @property
    def count(self) -> int:
        """How many different strings there are: the sum of 4^k."""
        return sum(len(self.operators) ** k for k in range(self.most + 1))

    @property
    def entropy(self) -> float:
        """Of the law, in nats."""
        return math.log(self.most + 1) + self.most / 2 * math.log(len(self.operators))

    def length_law(self) -> Tensor:
        """The probability of every length from 0 to `length`, float64."""
        law = torch.zeros(self.length + 1, dtype=torch.float64)
        law[1 : 2 * self.most + 2 : 2] = 1 / (self.most + 1)
        return law

    def lengths(self, x: Tensor) -> Tensor:
        """Places up to the last that is no blank, int64: (n, length) -> (n,)."""
        places = torch.arange(1, self.length + 1, device=x.device)
        return ((x != 0) * places).amax(1)

    def accepts(self, x: Tensor) -> Tensor:
        """Whether the grammar derives each string, bool: (n, length) -> (n,).

        Every rule joins two expressions by an operator, so that by induction the language is x (o x)*: variables at the
        1st, 3rd, ... place, operators between them, and blanks after an odd number of places.
        """
        length = self.lengths(x)[:, None]
        place = torch.arange(self.length, device=x.device)
        right = torch.where(place % 2 == 0, x == 1, x >= 2)
        return (right | (place >= length)).all(1) & (length[:, 0] % 2 == 1)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log p in nats, minus infinity for what the grammar does not derive: (n, length) -> (n,)."""
        k = (self.lengths(x) - 1) / 2
        value = -math.log(self.most + 1) - k * math.log(len(self.operators))
        return torch.where(self.accepts(x), value, -torch.inf)

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """N exact samples (n, length), symbol numbers as float."""
        generator = torch.Generator().manual_seed(seed)
        k = torch.randint(self.most + 1, (n, 1), generator=generator)
        operators = 2 + torch.randint(len(self.operators), (n, self.length), generator=generator)
        place = torch.arange(self.length)
        written = torch.where(place % 2 == 0, 1, operators)
        return torch.where(place <= 2 * k, written, 0).float()


GRAMMARS = {"grammar": Grammar()}


def draw(name: str, split: str, seed: int = 0) -> Part:
    """The strings of a split.

    Args:
        name: One of `GRAMMARS`.
        split: "train" or "test", 5,000 strings each.
        seed: The two splits of a seed and those of another are all drawn apart; short strings occur in both.
    """
    grammar = GRAMMARS[name]
    n, own = (N_TRAIN, 2 * seed) if split == "train" else (N_TEST, 2 * seed + 1)
    return Part(grammar.sample(n, own).numpy(), categories=(tuple(grammar.alphabet),) * grammar.length, sequence=True)
