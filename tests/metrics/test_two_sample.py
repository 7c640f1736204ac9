import math

import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.metrics import two_sample
from nacre.metrics.context import Context
from nacre.metrics.two_sample import distinguished, measure, p_value


def normal(n, seed, shift=0.0):
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))
    return x + torch.tensor([shift, 0.0])


def test_it_reaches_the_accuracy_of_the_best_classifier():
    """Two Gaussians a distance s apart are told apart with probability Phi(s / 2) at best."""
    for shift in (0.0, 1.0, 3.0):
        best = 0.5 * math.erfc(-shift / 2 / math.sqrt(2))
        accuracy, n, test = distinguished(normal(3000, 1), normal(3500, 2, shift), seed=0)
        assert (n, test) == (3000, 3000)
        assert accuracy == pytest.approx(best, abs=0.025)


def test_what_no_line_separates_is_separated():
    radius = torch.linspace(0.5, 1.5, 800)[:, None]
    x = normal(800, 3)
    x = x / x.norm(dim=1, keepdim=True)
    assert distinguished(0.4 * radius * x, (radius + 1) * x, seed=0)[0] > 0.97


def test_a_constant_feature_does_no_harm():
    a, b = (torch.cat([normal(600, seed, seed - 1.0), torch.full((600, 1), 7.0)], 1) for seed in (1, 4))
    assert distinguished(a, b, seed=0)[0] > 0.85


def test_the_p_value_is_that_of_the_binomial_test():
    from scipy.stats import binomtest

    for right, n in ((50, 100), (61, 100), (100, 100), (180, 360)):
        wanted = binomtest(right, n, 0.5, "greater").pvalue
        assert p_value(right / n, n) == pytest.approx(wanted, rel=1e-9)


def judged(vae, digits, samples):
    context = Context(vae, digits)
    context.__dict__["generated"] = samples
    (result,) = measure(context)
    return result


def test_the_order_of_samplers_is_right(vae, digits, monkeypatch):
    monkeypatch.setattr(two_sample, "STEPS", 150)
    real = Context(vae, digits).train_real.x
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    little, noisy, collapsed = (
        (real + 0.15 * noise).clamp(0, 1),
        (real + 0.5 * noise).clamp(0, 1),
        real[:1].expand_as(real),
    )
    results = [judged(vae, digits, x) for x in (real, little, noisy, collapsed)]
    values = [result.value for result in results]
    assert values == sorted(values)
    assert values[0] == pytest.approx(results[0].references["real against real"])
    assert values[0] < 0.62 < results[0].references["noisy reals"]
    assert values[2] > 0.8
    assert values[3] > 0.97
    assert results[3].details["p_value"] < 1e-6 < 1e-3 < results[0].details["p_value"]
    assert results[0].interval[0] < results[0].value < results[0].interval[1]


def test_the_protocol_and_the_refusal(vae, digits, monkeypatch):
    monkeypatch.setattr(two_sample, "STEPS", 50)
    (first,), (again,) = (nacre.evaluate(vae, digits, ["two-sample"], n=200, seed=1) for _ in range(2))
    assert first == again
    assert (first.protocol.n_real, first.protocol.n_generated) == (200, 200)
    assert (first.details["n_train"], first.details["n_test"]) == (200, 200)
    assert first.protocol.features.startswith("classifier features")
    with pytest.raises(NacreError, match="it needs 100 samples and real examples, and there are 50"):
        nacre.evaluate(vae, digits, ["two-sample"], n=50)
    halves = nacre.evaluate(vae, digits.examples(200).x, ["two-sample"])
    assert 0.3 < halves[0].references["real against real"] < 0.7
