"""The aggregate posterior, against closed forms."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

import nacre
from nacre.errors import NacreError
from nacre.metrics import evaluate
from nacre.metrics.aggregate import information_above, information_below, squared_mmd


def test_a_linear_gaussian_model_tells_what_its_channel_can_carry(linear_gaussian):
    """q(z|x) is the true posterior, so q(z) is the prior and I(x; z) = 1/2 log(1 + |w|^2 / noise)."""
    model, x, _, precision = linear_gaussian(1000)
    found = evaluate(model, x.numpy(), ["aggregate"])
    information = found.get("mutual_information")
    assert information.value == pytest.approx(float(precision.log().sum()) / 2, abs=0.08)
    assert information.details["from_below"] == pytest.approx(information.value, abs=0.08)
    assert information.details["most_from_below"] == pytest.approx(math.log(1000))
    mmd = found.get("prior_mmd")
    assert 0.5 < mmd.value / mmd.references["two prior batches"] < 1.7
    assert mmd.references["two prior batches"] == pytest.approx((2 * (1 - 0.5) / 1000) ** 0.5, rel=0.3)


def test_the_bounds_enclose_the_truth_where_the_aggregate_is_not_normal():
    """Two far clusters of narrow posteriors tell log 2 nats; the normal entropy allows for more."""
    generator = torch.Generator().manual_seed(0)
    mean = torch.tensor([[-1.0], [1.0]]).repeat(200, 1)
    logvar = torch.full((400, 1), math.log(0.01))
    z = mean + 0.1 * torch.randn(400, 1, generator=generator)
    assert information_below(z, mean, logvar) == pytest.approx(math.log(2), abs=1e-6)
    assert information_above(mean, logvar) == pytest.approx(math.log(1.01 / 0.01) / 2, abs=1e-5)


def test_the_mixture_is_the_one_of_torch():
    generator = torch.Generator().manual_seed(0)
    mean, logvar, z = (torch.randn(50, 3, generator=generator).double() for _ in range(3))
    posterior = Independent(Normal(mean, (logvar / 2).exp()), 1)
    aggregate = MixtureSameFamily(Categorical(torch.ones(50).double()), posterior)
    wanted = (posterior.log_prob(z) - aggregate.log_prob(z)).mean()
    assert information_below(z, mean, logvar) == pytest.approx(float(wanted), abs=1e-9)


def test_the_discrepancy_is_that_of_shifted_normals():
    generator = torch.Generator().manual_seed(0)
    n, d, shift = 2000, 4, 0.5
    x, y = (torch.randn(n, d, generator=generator).double() for _ in range(2))
    same = (d / (d + 2)) ** (d / 2)  # E k(x, x') for independent draws
    bias = 2 * (1 - same) / n
    wanted = 2 * same * (1 - math.exp(-d * shift**2 / (2 * (d + 2)))) + bias
    assert squared_mmd(x, y + shift) == pytest.approx(wanted, rel=0.1)
    assert squared_mmd(x, y) == pytest.approx(bias, rel=0.5)
    assert squared_mmd(x, x) == pytest.approx(0, abs=1e-12)


def test_what_has_no_normal_posterior_is_refused():
    model = nacre.create("vae", nacre.load_data("digits").spec, distribution="categorical")
    with pytest.raises(NacreError, match="cannot be judged by aggregate here: it has no normal posterior"):
        evaluate(model, "digits", ["aggregate"])
