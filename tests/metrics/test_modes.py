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
    assert found == {"frechet", "modes", "high_quality", "mode_divergence", "mode_width"}
    with pytest.raises(nacre.NacreError, match="no mixture"):
        nacre.evaluate(model, "swiss-roll", ["modes"])
