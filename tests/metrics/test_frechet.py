from itertools import pairwise

import pytest
import torch

import nacre
from nacre.metrics.context import Context
from nacre.metrics.frechet import frechet_distance, gaussian_distance, measure


def reference(a, b):
    from scipy.linalg import sqrtm

    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    root = torch.from_numpy(sqrtm((c1 @ c2).numpy()).real)
    return float((a.mean(0) - b.mean(0)).square().sum() + (c1 + c2 - 2 * root).trace())


def test_it_agrees_with_the_matrix_square_root():
    a, b = torch.randn(200, 12) @ torch.randn(12, 12), 1 + torch.randn(300, 12) @ torch.randn(12, 12)
    assert frechet_distance(a, b) == pytest.approx(reference(a, b), rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(10, 60), (60, 10), (12, 15), (40, 41)])
def test_fewer_rows_than_features_are_no_approximation(n, m):
    a, b = torch.randn(n, 40).double(), 0.5 + 2 * torch.randn(m, 40).double()
    assert frechet_distance(a, b) == pytest.approx(reference(a, b), rel=1e-5)  # scipy's root of a singular matrix
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_closed_forms():
    eye, zero = torch.eye(3), torch.zeros(3)
    assert gaussian_distance(zero, eye, zero, eye) == pytest.approx(0, abs=1e-12)
    assert gaussian_distance(zero, eye, zero + 2, eye) == pytest.approx(12, abs=1e-12)
    variances = torch.tensor([1.0, 4.0, 9.0])
    assert gaussian_distance(zero, eye, zero, variances.diag()) == pytest.approx(0 + 1 + 4, abs=1e-12)
    one = torch.tensor([[1.0]])
    assert gaussian_distance(zero[:1], one, zero[:1], 0 * one) == pytest.approx(1, abs=1e-12)
    assert gaussian_distance(zero[:1], 0 * one, zero[:1], one) == pytest.approx(1, abs=1e-12)


def test_it_only_moves_with_the_scale():
    a, b = torch.randn(400, 3).double(), 2 * torch.randn(400, 3).double()
    turn = torch.linalg.qr(torch.randn(3, 3).double())[0]
    assert frechet_distance(a @ turn + 5, b @ turn + 5) == pytest.approx(frechet_distance(a, b), rel=1e-9)
    for scale in (1e-4, 1e4):
        assert frechet_distance(scale * a, scale * b) == pytest.approx(scale**2 * frechet_distance(a, b), rel=1e-9)


def test_units_that_are_always_zero_do_no_harm():
    a, b = torch.randn(400, 3), 2 * torch.randn(400, 3)
    wide = [torch.cat([x, torch.zeros(400, 5)], 1) for x in (a, b)]
    assert frechet_distance(*wide) == pytest.approx(frechet_distance(a, b), rel=1e-6)
    wide[1] = torch.cat([b, torch.randn(400, 5)], 1)  # always 0 in one set only
    extra = wide[1][:, 3:].double()
    wanted = frechet_distance(a, b) + float(extra.mean(0).square().sum() + extra.var(0).sum())
    assert frechet_distance(*wide) == pytest.approx(wanted, rel=1e-2)  # correlations with b remain
    assert frechet_distance(*reversed(wide)) == pytest.approx(frechet_distance(*wide), rel=1e-6)


def test_the_floor_is_that_of_real_examples(vae, digits):
    context = Context(vae, digits)
    context.__dict__["generated"] = context.train_real.x
    (result,) = measure(context)
    assert result.value == pytest.approx(result.references["real against real"])
    assert result.details["classifier_accuracy"] > 0.93


def test_the_protocol_says_what_was_compared(vae, digits):
    (result,) = nacre.evaluate(vae, digits, ["frechet"], n=200, seed=3)
    protocol = str(result.protocol)
    assert protocol.startswith("200 samples against 200 of digits:test, classifier features ")
    assert protocol.endswith("seed 3")
    assert result.warnings == (
        "200 examples are few for a covariance of 128 features, which raises the Frechet distance.",
    )
    assert result.details["noisy reals"] == "other real examples plus N(0, (0.5 sd)^2), clipped into [0, 1]"
    assert result.details["n_floor"] == [200, 200]


def test_the_interval_holds_the_spread_of_repeated_samples(digits):
    x, pca = digits.examples().x, {"features": "pca"}
    order = torch.randperm(len(x))
    noisy = (x[order] + 0.3 * torch.randn(x.shape)).clamp(0, 1)
    values = []
    for part in noisy.split(470)[:3]:
        (result,) = nacre.evaluate(part, "digits", ["frechet"], **pca)
        values.append(result)
    for a, b in pairwise(values):
        assert a.interval[0] < b.value < a.interval[1]
        assert a.interval[0] > a.references["real against real"]


def test_quick_leaves_out_what_is_costly(vae):
    (result,) = nacre.evaluate(vae, "digits", ["frechet"], quick=True)
    assert result.interval is None
    assert list(result.references) == ["real against real"]


def test_one_sample_is_refused(digits):
    with pytest.raises(nacre.errors.NacreError, match="needs 2 samples and real examples, and there are 1"):
        nacre.evaluate(digits.examples(1).x, "digits", ["frechet"], features="pixels")
