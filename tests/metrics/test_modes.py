import pytest
import torch

import nacre
from nacre.metrics.context import Context
from nacre.metrics.modes import chi_square, measure


@pytest.fixture(scope="module")
def model():
    return nacre.create("gan", nacre.load_data("ring").spec)


def judged(model, samples, name="ring"):
    context = Context(model, nacre.load_data(name))
    context.__dict__["generated"] = samples
    return {result.name: result.value for result in measure(context)}


def test_a_perfect_sampler(model):
    for name, modes in (("ring", 8), ("grid", 25)):
        values = judged(model, nacre.load_data(name).density.sample(20_000, seed=9), name)
        assert values["modes"] == modes
        assert values["high_quality"] == pytest.approx(0.98889, abs=0.003)
        assert values["mode_divergence"] < 0.003
        assert values["mode_width"] == pytest.approx(1, abs=0.02)


def test_collapse_is_seen(model):
    mixture = nacre.load_data("ring").density
    one = mixture.modes[:1] + mixture.sd * torch.randn(5000, 2, generator=torch.Generator().manual_seed(0))
    values = judged(model, one)
    assert values["modes"] == 1
    assert values["mode_divergence"] == pytest.approx(torch.tensor(8.0).log().item(), abs=1e-6)
    narrow = judged(model, mixture.modes.repeat(500, 1))
    assert narrow["modes"] == 8
    assert narrow["mode_width"] == pytest.approx(0, abs=1e-6)


def test_nothing_found(model):
    values = judged(model, torch.full((1000, 2), 50.0))
    assert values["modes"] == values["high_quality"] == values["mode_width"] == 0


def test_chi_square():
    assert chi_square(2, 3.0) == pytest.approx(0.988891, abs=1e-6)
    assert chi_square(1, 1.0) == pytest.approx(0.682689, abs=1e-6)


def test_evaluate_gives_them_for_mixtures_only(model):
    found = {result.name for result in nacre.evaluate(model, "ring", n=500)}
    assert {"modes", "high_quality", "mode_divergence", "mode_width"} <= found
    with pytest.raises(nacre.NacreError, match="no mixture"):
        nacre.evaluate(model, "swiss-roll", ["modes"])


def test_real_draws_stand_beside_the_values_and_intervals_hold_them(model):
    context = Context(model, nacre.load_data("grid"))
    context.__dict__["generated"] = context.data.density.sample(5000, seed=9)
    for result in measure(context):
        real, perfect = result.references["real examples"], result.references["perfect"]
        assert result.protocol.n_generated == 5000
        if result.interval is None:
            assert result.value == real == perfect == 25
            continue
        low, high = result.interval
        assert low <= result.value <= high
        assert low - (high - low) <= real <= high + (high - low)
    shares = torch.tensor(measure(context)[2].details["shares"], dtype=torch.float64)
    assert measure(context)[2].value == pytest.approx(float((shares * (shares * 25).log()).sum()), abs=1e-9)


def test_a_mode_is_touched_by_one_sample_but_found_by_a_twentieth_of_its_share(model):
    mixture = nacre.load_data("ring").density
    x = torch.cat([mixture.modes[:1].repeat(780, 1), mixture.modes[1:2].repeat(15, 1), mixture.modes[2:3].repeat(5, 1)])
    context = Context(model, nacre.load_data("ring"))
    context.__dict__["generated"] = x  # a twentieth of the fair share of 800 samples is 5
    modes = measure(context)[0]
    assert (modes.value, modes.details["touched"]) == (3, 3)
    context.__dict__["generated"] = x[:-1]
    modes = measure(context)[0]
    assert (modes.value, modes.details["touched"]) == (2, 3)


def test_the_share_near_the_curve():
    from nacre.metrics.on_manifold import share

    roll = nacre.load_data("swiss-roll").density
    (found,) = nacre.evaluate(roll.sample(2000, seed=5), "swiss-roll", ["on_manifold"], n=2000)
    assert found.value == pytest.approx(0.9973, abs=0.005)  # that of a straight line
    assert found.references["real examples"] == pytest.approx(found.value, abs=0.01)
    assert found.interval[0] < found.value < found.interval[1] <= 1
    assert share(roll.sample(500, seed=1) + torch.tensor([0.1, 0.1]), roll) < 0.5
    with pytest.raises(nacre.NacreError, match="no curve"):
        nacre.evaluate(roll.sample(50), "ring", ["on_manifold"])
