"""Which strings a grammar's own parser accepts, how many different ones, and how they are built."""

import torch
from torch import Tensor

from nacre.data.grammar import Grammar
from nacre.metrics.context import Context
from nacre.metrics.intervals import bootstrap, of_share
from nacre.metrics.result import Result

CHEAP = True


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not isinstance(context.data.density, Grammar):
        return "the data are not the strings of a known grammar"
    return "" if context.model.can("sample") else "it makes no samples"


def measure(context: Context) -> list[Result]:
    """Four results: the share of valid strings, how many different valid ones, and how far lengths and bigrams are off.

    `length_distance` is the total variation distance of the lengths from the grammar's law, `bigram_divergence` is
    KL(real || samples) over pairs of neighbouring symbols, the end of the string among them, with half a count added to
    every pair. Beside each value stands that of as many fresh draws from the grammar: the number of different strings
    is bounded by that of all, and by what so many draws reach.
    """
    grammar: Grammar = context.data.density
    x, real = context.generated, context.real.x
    n = len(x)
    fresh = grammar.sample(n, 1_000_003 + context.seed)  # a seed that no split has
    valid, distinct = share(x, grammar), distinct_valid(x, grammar)
    train = {tuple(row) for row in context.train.examples().x.cpu().tolist()} if context.has_train else set()
    found = {tuple(row) for row in x[grammar.accepts(x)].tolist()}

    def pairs(rows: Tensor) -> float:
        return bigram_divergence(real, rows, grammar)

    lengths, bigrams = length_distance(x, grammar), pairs(x)
    return [
        Result("validity", valid, "share of strings", "higher",
               context.protocol("accepted by the grammar's parser", n_generated=n),
               interval=of_share(valid, n), references={"real examples": share(fresh, grammar)}),
        Result("distinct_valid", distinct, f"of {grammar.count:,}", "higher",
               context.protocol("different strings that the parser accepts", n_generated=n),
               references={"real examples": distinct_valid(fresh, grammar), "all strings": float(grammar.count)},
               details={"not in the training data": len(found - train)} if train else {}),
        Result("length_distance", lengths, "", "lower",
               context.protocol("total variation from the grammar's law", n_generated=n),
               interval=bootstrap(lambda rows: length_distance(rows, grammar), lengths, x),
               references={"real examples": length_distance(fresh, grammar)}),
        Result("bigram_divergence", bigrams, "nats", "lower",
               context.protocol("KL(real || samples) of neighbours", n_real=len(real), n_generated=n),
               interval=bootstrap(pairs, bigrams, x), references={"real examples": pairs(fresh)}),
    ]  # fmt: skip


def share(x: Tensor, grammar: Grammar) -> float:
    """The share of the strings (n, length) that the grammar derives."""
    return float(grammar.accepts(x).double().mean())


def distinct_valid(x: Tensor, grammar: Grammar) -> float:
    """How many different strings of (n, length) the grammar derives."""
    return float(len({tuple(row) for row in x[grammar.accepts(x)].tolist()}))


def length_distance(x: Tensor, grammar: Grammar) -> float:
    """Half the sum over lengths of |share - probability|, in [0, 1].

    Args:
        x: Strings (n, length); trailing blanks do not count.
        grammar: What their law is.
    """
    shares = grammar.lengths(x).bincount(minlength=grammar.length + 1).double() / len(x)
    return float((shares - grammar.length_law()).abs().sum() / 2)


def bigram_divergence(real: Tensor, x: Tensor, grammar: Grammar) -> float:
    """KL(p || q) in nats of the pairs of neighbours in real strings and in others, up to the first blank after each."""
    p, q = (bigrams(rows, grammar) for rows in (real, x))
    return float((p * (p / q).log()).sum())


def bigrams(x: Tensor, grammar: Grammar) -> Tensor:
    """The shares of all pairs of neighbours in strings (n, length), half a count added to each, (symbols^2,)."""
    k = len(grammar.alphabet)
    ends = torch.nn.functional.pad(x.long(), (0, 1))  # every string ends in a blank
    within = torch.arange(grammar.length, device=x.device) < grammar.lengths(x)[:, None]
    counts = (ends[:, :-1] * k + ends[:, 1:])[within].bincount(minlength=k * k).double() + 0.5
    return counts / counts.sum()
