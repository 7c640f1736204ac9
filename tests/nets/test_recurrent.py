"""Recurrent networks over symbols: the cell, the relaxation, and rows of strings and tables."""

import math

import pytest
import torch

from nacre.data.spec import Spec
from nacre.nets.recurrent import Cell, Reader, Symbols, Writer, drawn, gumbel, relaxed

TABLE = Spec((3,), columns=("a", "b", "c"), categories=(("p", "q"), ("r", "s", "t"), ("u", "v", "w", "z")))
TEXT = Spec((3,), "sequence", categories=(("", "a", "b"),) * 3)


def test_the_cell_is_torchs():
    """The same numbers as LSTMCell, whose gates are in the order i, f, g, o."""
    torch.manual_seed(0)
    own, torchs = Cell(6, 5), torch.nn.LSTMCell(6, 5)
    i, f, o, g = (torch.arange(k * 5, k * 5 + 5) for k in range(4))
    order = torch.cat([i, f, g, o])
    with torch.no_grad():
        torchs.weight_ih.copy_(own.symbol.T[order])
        torchs.weight_hh.copy_(own.state.T[order])
        torchs.bias_ih.copy_(own.bias[order])
        torchs.bias_hh.zero_()
    y, state = torch.randn(4, 6), (torch.randn(4, 5), torch.randn(4, 5))
    for mine, theirs in zip(own(y @ own.symbol + own.bias, state), torchs(y, state), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("spec", [TABLE, TEXT])
def test_rows_come_back(spec):
    symbols = Symbols(spec, 4)
    sizes = torch.tensor(symbols.sizes)
    x = (torch.rand(20, 3) * sizes).floor()
    row = symbols.hot(x)
    assert row.shape == (20, int(sizes.sum())) and (row.sum(1) == 3).all()
    assert torch.equal(symbols.values(row), x)


def test_a_string_shares_its_weights_and_a_table_does_not():
    assert Symbols(TEXT, 4).alphabet == 3 and Symbols(TABLE, 4).alphabet == 9
    for spec in (TEXT, TABLE):
        symbols = Symbols(spec, 4)
        row, weights = symbols.hot(torch.ones(2, 3)), torch.randn(symbols.alphabet, 5)
        expected = [y @ w for y, w in zip(symbols.split(row), symbols.by_place(weights), strict=True)]
        assert torch.allclose(torch.stack(symbols.read(row, weights)), torch.stack(expected))


def test_the_reader_sees_order_and_the_writer_what_it_wrote():
    torch.manual_seed(0)
    symbols = Symbols(TEXT, 4)
    reader, writer = Reader(symbols, 8), Writer(symbols, 8)
    x = torch.tensor([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0]])
    a, b = reader(symbols.hot(x), symbols)
    assert not torch.allclose(a, b)
    seen = []

    def choose(place, logits):
        seen.append(logits)
        return symbols.split(symbols.hot(x))[place]

    writer(torch.empty(2, 0), symbols, choose)
    assert torch.equal(seen[0][0], seen[0][1]) and not torch.allclose(seen[1][0], seen[1][1])


def test_draws_follow_the_softmax():
    torch.manual_seed(0)
    logits = torch.tensor([1.0, 0.0, -math.inf, -1.0])
    share = drawn(logits + gumbel(40_000, 4, logits.device)).mean(0)
    assert torch.allclose(share, logits.softmax(0), atol=0.01) and share[2] == 0


def test_the_relaxation_tends_to_the_draw_and_lends_its_gradient():
    torch.manual_seed(0)
    noisy = torch.randn(50, 4, dtype=torch.float64)
    assert torch.allclose(relaxed(noisy, 1e-7, False), drawn(noisy), atol=1e-3)
    target, slopes = torch.randn(50, 4, dtype=torch.float64), []
    for straight in (False, True):
        leaf = noisy.clone().requires_grad_()
        y = relaxed(leaf, 0.7, straight)
        slopes.append(torch.autograd.grad((y * target).sum(), leaf)[0])
        assert not straight or torch.allclose(y, drawn(noisy))
    assert torch.allclose(*slopes)
