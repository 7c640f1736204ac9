import pytest
import torch

from nacre.metrics.intervals import bootstrap, of_mean, of_share


@pytest.mark.parametrize(("hits", "n"), [(0, 12), (3, 40), (200, 360), (9, 9), (1, 1)])
def test_a_share_has_wilsons_interval(hits, n):
    from scipy.stats import binomtest

    wanted = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    low, high = of_share(hits / n, n)
    assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=1e-7)
    assert 0 <= low <= high <= 1


def test_a_mean_has_the_normal_interval():
    values = torch.randn(400).double()
    half = 1.959964 * float(values.std()) / 20
    assert of_mean(values) == pytest.approx((float(values.mean()) - half, float(values.mean()) + half))
    low, high = of_mean(values, extra=3.0)
    assert high - low == pytest.approx(2 * 1.959964 * (float(values.var()) / 400 + 9) ** 0.5)


def test_the_bootstrap_of_a_mean_is_the_normal_interval():
    values = 5 + torch.randn(400).double()
    low, high = bootstrap(lambda x: float(x.mean()), float(values.mean()), values, rounds=400, seed=1)
    wanted = of_mean(values)
    assert (low + high) / 2 == pytest.approx(float(values.mean()))
    assert high - low == pytest.approx(wanted[1] - wanted[0], rel=0.1)


def test_the_bootstrap_resamples_every_sample_on_its_own():
    a, b = torch.randn(300).double(), 2 * torch.randn(600).double()
    low, high = bootstrap(lambda x, y: float(x.mean() - y.mean()), 0.0, a, b, rounds=400)
    wanted = (float(a.var()) / 300 + float(b.var()) / 600) ** 0.5
    assert high - low == pytest.approx(2 * 1.959964 * wanted, rel=0.1)
    assert (low, high) == bootstrap(lambda x, y: float(x.mean() - y.mean()), 0.0, a, b, rounds=400)
