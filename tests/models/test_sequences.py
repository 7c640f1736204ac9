"""Games and likelihoods over strings and tables."""

import itertools
import math

import pytest
import torch

import nacre
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.game import Batch

TABLE = Spec((3,), columns=("a", "b", "c"), categories=(("p", "q"), ("r", "s", "t"), ("u", "v")))


def rows():
    return torch.tensor(list(itertools.product(range(2), range(3), range(2))), dtype=torch.float32)


def test_the_likelihood_sums_to_one():
    torch.manual_seed(0)
    model = nacre.create("lstm", TABLE, hidden=6)
    assert model.score_samples(rows()).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_samples_follow_the_likelihood():
    torch.manual_seed(1)
    model = nacre.create("lstm", TABLE, hidden=6)
    x = model.sample(20_000, seed=0, batch_size=20_000)
    share = torch.stack([(x == row).all(1).double().mean() for row in rows()])
    assert torch.allclose(share, model.score_samples(rows()).exp().double(), atol=0.012)


def test_a_short_training_comes_near_the_entropy():
    """No model is better than the law on fresh strings, and half a second leads to within half a nat of it."""
    data = nacre.load_data("grammar")
    model = nacre.train("lstm", data, steps=100, hidden=32, ema=0.9, lr=2e-2, progress=False, threads=1)
    assert (model.sample(500, seed=0)[:, 0] == 1).double().mean() > 0.9
    cost = -model.score_samples(data.sibling("test").x).double()
    floor = -data.density.log_prob(data.sibling("test").x).double()
    assert -0.02 < (cost - floor).mean() < 0.5


def test_the_generators_gradient_passes_the_draws():
    torch.manual_seed(0)
    model = nacre.create("gs-gan", nacre.load_data("grammar").spec, hidden=8)
    batch = Batch(x=nacre.load_data("grammar").x[:32])
    made = model.made(32)
    assert torch.equal(made.detach().unique(), torch.tensor([0.0, 1.0])) or (made * (1 - made)).abs().max() < 1e-6
    slopes = torch.autograd.grad(model.generator_loss(batch), list(model.generator.parameters()))
    assert all(slope.abs().max() > 0 for slope in slopes)


@pytest.mark.parametrize("game", ["non-saturating", "relativistic", "wasserstein"])
def test_penalties_are_the_gradients_at_rows(game):
    """R1 by autograd of the score at one-hot real rows."""
    torch.manual_seed(0)
    model = nacre.create("gs-gan", nacre.load_data("grammar").spec, hidden=8, game=game, gamma=2.0)
    batch = Batch(x=nacre.load_data("grammar").x[:16])
    row = model.symbols.hot(batch.x).requires_grad_()
    (slope,) = torch.autograd.grad(model.score(row).sum(), row)
    losses = model.discriminator_loss(batch)
    assert list(losses) == [game, "r1", "r2"]
    assert losses["r1"].item() == pytest.approx(slope.square().sum(1).mean().item(), rel=1e-5)


def test_soft_rows_lie_on_the_simplex_and_the_temperature_falls():
    torch.manual_seed(0)
    model = nacre.create("gs-gan", TABLE, straight_through=False, temperature=(2.0, 0.01))
    peaks = []
    for progress in (0.0, 1.0):
        model.progress.fill_(progress)
        row = model.made(200)
        assert all(torch.allclose(part.sum(1), torch.ones(200)) for part in model.symbols.split(row))
        peaks.append(row[:, :2].amax(1).mean())
    assert peaks[0] < 0.9 < 0.98 < peaks[1]


def test_a_table_of_categories_is_written_in_its_own_names():
    """Every column keeps to its own alphabet, missing values among it."""
    spec = Spec((3,), columns=("a", "b", "c"), categories=TABLE.categories, missing=("b",))
    x = rows()
    x[::4, 1] = math.nan
    model = nacre.train("gs-gan", Data(x, spec=spec), steps=3, batch_size=12, hidden=4, progress=False)
    drawn = model.sample(300, seed=0)
    assert (drawn[:, 0] < 2).all() and (drawn[:, 2] < 2).all() and drawn[:, 1].isnan().any()
    assert (drawn[:, 1].nan_to_num(0) < 3).all()


def test_a_temperature_is_positive():
    with pytest.raises(nacre.NacreError, match="temperature"):
        nacre.create("gs-gan", TABLE, temperature=(1.0, 0.0))
