"""Every signal of the doctor on planted facts."""

import math
from types import SimpleNamespace

import pytest
import torch
from games import OPTIONS
from torch import nn

import nacre
from nacre.data.spec import Spec
from nacre.engine.doctor.chains import StuckChains
from nacre.engine.doctor.checkup import Checkup, Features, References, Scores, batch_statistics, diversity, judge_of
from nacre.engine.doctor.copies import Memorisation
from nacre.engine.doctor.games import (
    DeadDiscriminator,
    ModeCollapse,
    OverfittedDiscriminator,
    StrongDiscriminator,
    in_order,
)
from nacre.engine.doctor.gradients import Exploding, NonFinite, Vanishing
from nacre.engine.doctor.latents import PosteriorCollapse
from nacre.engine.doctor.units import StuckUnits, collecting
from nacre.engine.loop import Trainer
from nacre.engine.training import Training
from nacre.losses.adversarial import GAMES


def seen(ailment, **facts):
    return ailment.look(SimpleNamespace(**facts))


def normal(mean, deviation, n=200, seed=0):
    return mean + deviation * torch.randn(n, generator=torch.Generator().manual_seed(seed))


def checkup_of(model, data, step=500):
    """A checkup of a model that has just begun."""
    trainer = Trainer(model, {"data": data}, Training.resolve(model.defaults, OPTIONS))
    model.begin(data)
    trainer._enter(0)
    trainer.step = step
    return Checkup(trainer, References(data, 128, model.device))


def test_diversity_counts_points_that_differ():
    """k clusters far apart, of equal size, count as k; one point counts as 1."""
    clusters = 100.0 * torch.arange(5.0).repeat_interleave(20)[:, None]
    assert diversity(clusters, 1.0) == pytest.approx(5, rel=1e-6)
    assert diversity(torch.ones(30, 4), 1.0) == pytest.approx(1, rel=1e-6)
    two = torch.tensor([[0.0], [1.0]])
    assert diversity(two, 1.0) == pytest.approx(2 / (1 + math.exp(-0.5)), rel=1e-6)


def test_features_keep_distances():
    """A fixed projection of 48 x 48 images, averaged to 16 x 16, keeps distances of smooth images within 30 %."""
    coarse = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    fine = coarse.repeat_interleave(3, 2).repeat_interleave(3, 3)
    spec = Spec.image(3, 48, 48)
    found = torch.pdist(Features(spec, torch.device("cpu"))(fine))
    ratio = found / (torch.pdist(coarse.flatten(1)) / torch.as_tensor(spec.scale).flatten()[0])
    assert 0.7 < ratio.min() and ratio.max() < 1.3 and ratio.mean() == pytest.approx(1, abs=0.05)
    assert torch.equal(found, torch.pdist(Features(spec, torch.device("cpu"))(fine)))


def test_spread_discrepancy_and_copies_of_planted_samples():
    """Real examples as samples have spread 1, one example over and over has spread 0, and training rows are copies."""
    data = nacre.load_data("digits")
    checkup = checkup_of(nacre.create("gan", data.spec, hidden=(8,)), data)
    for samples, spread, copied in (
        (data.examples(128, seed=5).x, pytest.approx(1, abs=0.15), 1.0),
        (data.examples(1).x.expand(128, -1, -1, -1), pytest.approx(0, abs=1e-5), 1.0),
        (data.sibling("test").examples(128, seed=5).x, pytest.approx(1, abs=0.15), 0.0),
    ):
        planted = Checkup.__new__(Checkup)
        planted.references, planted.samples = checkup.references, samples
        assert planted.spread == spread
        assert planted.copies == pytest.approx(copied, abs=0.05)
        assert planted.discrepancy < 0.05 if copied == 0 else planted.discrepancy > -1e-6
    assert seen(Memorisation(), copies=0.3) and not seen(Memorisation(), copies=0.1)
    assert not seen(Memorisation(), copies=None)


def collapse(spreads, done=2_000, length=5_000):
    ailment, references = ModeCollapse(), SimpleNamespace(n=128)
    scores = Scores(torch.zeros(2), torch.zeros(2), None)
    said = [
        seen(ailment, spread=spread, scores=scores, references=references, done=done, length=length)
        for spread in spreads
    ]
    return [bool(text) for text in said]


def test_mode_collapse_is_low_spread_that_does_not_rise():
    assert collapse([0.05] * 6) == [False] * 4 + [True] * 2
    assert not any(collapse([0.02, 0.05, 0.1, 0.15, 0.2, 0.25]))  # still learning to spread
    assert not any(collapse([0.6] * 8))
    assert not any(collapse([0.05] * 8, done=900))  # young
    assert collapse([0.8, 0.8, 0.1, 0.05, 0.05, 0.05, 0.05], done=900)[-1]  # it had spread and fell
    assert not any(collapse([0.05] * 8, length=20_000))


def game(real, fake, held=None, **facts):
    discriminator = SimpleNamespace(discriminator=nn.Linear(1, 1))
    return {"scores": Scores(real, fake, held), "model": discriminator, "gradients": {}, "discrepancy": 0.2, **facts}


def test_a_discriminator_is_too_strong_dead_or_overfitted():
    strong = game(normal(10, 1), normal(-10, 1), gradients={"generator": (6.0, 1.0), "discriminator": (2.0, 1.0)})
    assert "100.0% of real and fake pairs rightly, by 20 nats" in seen(StrongDiscriminator(), **strong)
    assert "gradient is 3 times" in seen(StrongDiscriminator(), **strong)
    assert not seen(StrongDiscriminator(), **game(normal(2, 1), normal(-2, 1)))
    critic = {**strong, "model": SimpleNamespace(discriminator=nn.Linear(1, 1), rules=GAMES["wasserstein"])}
    assert not seen(StrongDiscriminator(), **critic)  # a critic's scores have no scale

    flat = game(normal(0.3, 1e-5), normal(0.3, 1e-5))
    assert seen(DeadDiscriminator(), **flat)
    assert not seen(DeadDiscriminator(), **{**flat, "discrepancy": 0.01})  # nothing is left to tell apart
    assert not seen(DeadDiscriminator(), **game(normal(0.3, 0.1), normal(0.3, 0.1)))

    assert "90% of the way" in seen(
        OverfittedDiscriminator(), **game(torch.full((50,), 5.0), torch.full((50,), -5.0), torch.full((50,), -4.0))
    )
    assert not seen(OverfittedDiscriminator(), **game(normal(5, 1), normal(-5, 1), normal(4, 1, seed=1)))
    assert not seen(OverfittedDiscriminator(), **game(normal(0.1, 1), normal(0, 1), normal(0.03, 1, seed=1)))
    assert not seen(OverfittedDiscriminator(), **game(normal(5, 1), normal(-5, 1)))


def test_in_order_is_the_area_under_the_roc_curve():
    from sklearn.metrics import roc_auc_score

    real, fake = normal(0.5, 1, 60), normal(0, 1, 40, seed=1)
    labels = [1] * 60 + [0] * 40
    assert in_order(real, fake) == pytest.approx(roc_auc_score(labels, torch.cat([real, fake]).numpy()), abs=1e-6)


def test_a_judge_that_knows_its_examples_by_heart_overfits():
    """It scores by the distance to the nearest training example, and the samples are like the held-out digits."""
    data = nacre.load_data("digits")
    few = data.subset(torch.arange(64))
    model = nacre.create("gan", data.spec, hidden=(8,))
    model.judge = lambda x: -torch.cdist(x.flatten(1), few.examples().x.flatten(1)).amin(1)
    model.sample = lambda n, seed: data.examples(n, seed=5).x
    checkup = checkup_of(model, few)
    assert checkup.scores.real.abs().max() < 1e-3 and checkup.scores.held.max() < -0.1
    assert "of the way to calling them fake" in seen(OverfittedDiscriminator(), scores=checkup.scores)


def test_posterior_collapse_counts_active_units():
    few = torch.zeros(100, 6)
    assert "none of the 6 latent units" in seen(PosteriorCollapse(), posterior=few + 0.05 * torch.randn(100, 6))
    few[:, 2] = normal(0, 0.2, 100)
    assert not seen(PosteriorCollapse(), posterior=few)
    assert not seen(PosteriorCollapse(), posterior=None)


def chains_said(*states):
    ailment = StuckChains()
    return [seen(ailment, chains=state) for state in states]


def test_chains_that_stand_still_or_agree_are_found():
    draw = [torch.bernoulli(torch.full((60, 40), 0.5), generator=torch.Generator().manual_seed(i)) for i in range(4)]
    assert chains_said(*draw) == [""] * 4
    slow = draw[1].clone()
    slow[0] = 1 - slow[0]  # one chain in 60 has moved
    assert "autocorrelation 0.97" in chains_said(draw[0], draw[1], slow)[-1]
    same = torch.zeros(60, 40)
    same[:, :10] = draw[2][:, :10]
    assert "75% of the units" in chains_said(draw[0], same)[-1]
    assert chains_said(draw[0], draw[0], draw[0]) == [""] * 3  # never moved: contrastive divergence
    assert chains_said(None, None) == ["", ""]


def norms(value, weights=10.0):
    return {"gradients": {"encoder": (1.0, 10.0), "decoder": (value, weights)}}


def test_gradients_that_explode_vanish_or_are_not_finite():
    exploding, vanishing = Exploding(), Vanishing()
    for _ in range(4):
        assert not seen(exploding, **norms(2.0)) and not seen(vanishing, **norms(2.0))
    assert "150 times its usual 2" in seen(exploding, **norms(300.0)) and not seen(exploding, **norms(150.0))
    assert "2 was usual" in seen(vanishing, **norms(1e-4)) and not seen(vanishing, **norms(1e-3))
    assert "decoder" in seen(Vanishing(), **norms(1e-7))  # against the weights, before anything is usual
    assert "gradient of decoder" in seen(NonFinite(), **norms(math.nan))
    assert "weights of decoder" in seen(NonFinite(), **norms(1.0, math.inf)) and not seen(NonFinite(), **norms(1.0))


def test_units_that_always_say_the_same_are_counted():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.Sigmoid())
    with torch.no_grad():
        net[0].bias.copy_(torch.tensor([-1e3, -1e3, -1e3, 1e3]))
        net[2].weight.zero_()
        net[2].bias.copy_(torch.tensor([0.0, 50.0, -50.0, 50.0, 0.0]))
    with collecting(net, size=99) as collector:
        net(torch.randn(20, 3))
    assert collector.shares() == {"1": 0.75, "3": pytest.approx(0.6)}
    with collecting(net, size=5) as collector:  # what has the size of an example is one
        net(torch.randn(20, 3))
    assert collector.shares() == {"1": 0.75}
    maps = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
    with torch.no_grad():
        maps[0].weight.fill_(0.0)
        maps[0].bias.copy_(torch.tensor([-1.0, 1.0]))
    with collecting(maps, size=99) as collector:
        maps(torch.randn(2, 1, 4, 4))
    assert collector.shares() == {"1": 0.5}
    assert "96% of the units of a.1" in seen(StuckUnits(), stuck_units={"a.1": 0.96, "b": 0.5})
    assert not seen(StuckUnits(), stuck_units={"a.1": 0.9}) and not seen(StuckUnits(), stuck_units={})


def test_batch_norms_see_the_batch_and_keep_their_statistics():
    norm = nn.BatchNorm1d(2).eval()
    before = norm.running_mean.clone()
    with batch_statistics(norm):
        y = norm(torch.randn(50, 2) + 7)
    assert torch.equal(before, norm.running_mean) and int(norm.num_batches_tracked) == 0
    assert y.mean().abs() < 1e-5 and not norm.training and norm.track_running_stats


def test_a_model_that_cannot_show_something_is_left_alone():
    """No samples of machines whose sampling is long, no judge where the discriminator judges something else."""
    data = nacre.load_data("digits")
    rbm = checkup_of(nacre.create("rbm", data.spec, hidden=8), data)
    assert rbm.samples is None and rbm.scores is None and rbm.spread is None and rbm.chains.shape == (100, 8)
    auto = checkup_of(nacre.create("ae", data.spec, hidden=(8,)), data)
    assert auto.samples is None and auto.posterior is None and len(auto.stuck_units) == 2
    factor = nacre.create("factor-vae", data.spec, hidden=(8,))
    assert judge_of(factor) is None and checkup_of(factor, data).scores is None
    game_ = nacre.create("gan", data.spec, hidden=(8,))
    game_.discriminator.forward = lambda x, labels: x  # one that needs labels
    assert checkup_of(game_, data).scores is None
    array = nacre.load_data(data.x.numpy())
    assert checkup_of(nacre.create("gan", array.spec, hidden=(8,)), array).scores.held is None
