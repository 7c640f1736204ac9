"""The bound and its split, against closed forms of a linear Gaussian model."""

import math

import pytest
import torch

import nacre
from nacre.data.spec import Spec
from nacre.metrics import evaluate
from nacre.metrics.elbo import kind_of_values, variance_of_units
from nacre.models.autoencoders.vae import VAE

NOISE = 0.3


def test_the_split_agrees_with_the_closed_forms(linear_gaussian):
    model, x, log_p, precision = linear_gaussian()
    report = evaluate(model, x.numpy(), ["elbo"])
    assert report.get("elbo").value == pytest.approx(float(log_p.mean()), abs=0.05)  # the posterior is exact
    mean = model.encode(x)
    variance = 1 / precision
    by_unit = 0.5 * (mean.square() + variance - variance.log() - 1).mean(0)
    rate, distortion = report.get("rate"), report.get("distortion")
    assert rate.details["by_unit"] == pytest.approx(by_unit.tolist(), abs=1e-4)
    assert rate.value == pytest.approx(float(by_unit.sum()), abs=1e-4)
    # E_q |x - Wz|^2 = |x - W mean|^2 + tr(W V W')
    residual = (x - model.decode(mean)).square().sum(1) + float(1.89 * variance[0])
    wanted = residual.mean() / (2 * NOISE) + 1.5 * math.log(2 * math.pi * NOISE)
    assert distortion.value == pytest.approx(float(wanted), abs=0.06)
    assert report.get("elbo").value == pytest.approx(-rate.value - distortion.value, abs=1e-9)
    low, high = report.get("elbo").interval
    assert low < float(log_p.mean()) < high
    assert report.get("elbo").details["standard_error"] == pytest.approx((high - low) / 2 / 1.959964)


def test_a_unit_that_the_decoder_ignores_is_not_active(linear_gaussian):
    model, x, _, _ = linear_gaussian()
    active = evaluate(model, x.numpy(), ["elbo"]).get("active_units")
    assert (active.value, active.unit) == (1, "of 2")
    assert active.details["variances"] == pytest.approx(model.encode(x).double().var(0).tolist())


def test_the_variances_of_a_categorical_unit_are_added():
    codes = torch.tensor([[1.0, 0.0, 0.5, 0.5], [0.0, 1.0, 0.5, 0.5]])  # two units of two categories
    assert variance_of_units(codes, 2).tolist() == [1.0, 0.0]


def test_the_units_of_a_prior_that_does_not_factorise_are_counted_all_the_same(digits):
    model = nacre.create("vamp-vae", digits.spec, latent=3, pseudo_inputs=5)
    report = evaluate(model, digits, ["elbo"])
    assert report.get("active_units").unit == "of 3"
    assert "by_unit" not in report.get("rate").details


def test_it_is_the_mean_of_the_models_own_score(vae, digits):
    report = evaluate(vae, digits, ["elbo"])
    x = digits.sibling("test").examples().x
    scores = torch.stack([vae.score_samples(x, seed=seed).double().mean() for seed in range(20)])
    bounds = torch.stack([-vae.bound_terms(x, seed=seed).double().sum(1).mean() for seed in range(20)])
    assert float(bounds.mean()) == pytest.approx(float(scores.mean()), abs=0.15)
    assert report.get("elbo").value == pytest.approx(float(bounds.mean()), abs=4 * float(bounds.std()))


def test_bits_are_given_only_where_the_values_are_modelled_as_they_are():
    x = (torch.rand(300, 1, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    binary = VAE(Spec.image(1, 4, 4, binary=True), latent=2, hidden=(8,))
    found = evaluate(binary, x.numpy(), ["elbo"]).get("elbo")
    assert found.details["bits_per_dimension"] == pytest.approx(-found.value / 16 / math.log(2))
    grey = VAE(Spec.image(1, 4, 4), latent=2, hidden=(8,))
    found = evaluate(grey, x.numpy(), ["elbo"]).get("elbo")
    assert "bits_per_dimension" not in found.details
    assert "grey values as Bernoulli probabilities" in found.protocol.method
    density = VAE(Spec.image(1, 4, 4), latent=2, hidden=(8,), likelihood="gaussian")
    assert kind_of_values(density) == " (a density of the values)"


def test_a_model_without_a_bound_is_refused():
    with pytest.raises(nacre.NacreError, match="it has no variational bound"):
        evaluate(nacre.create("gan", nacre.load_data("ring").spec), "ring", ["elbo"])


def test_a_code_without_a_posterior_has_no_active_units(digits):
    model = nacre.create("vq-vae", digits.spec)
    assert {r.name for r in evaluate(model, digits, ["elbo"], n=100)} == {"elbo", "distortion", "rate"}
    (found,) = evaluate(model, digits, ["log_likelihood"], n=100)
    assert "a bound" in found.protocol.method
