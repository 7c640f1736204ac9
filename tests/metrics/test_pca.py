"""`pca`: a linear autoencoder set by hand, at known distances from the principal components."""

import math

import pytest
import torch
from sklearn.decomposition import PCA

import nacre
from nacre.errors import NacreError
from nacre.metrics.pca import largest_angle, principal_components

K = 5


def linear_autoencoder(degrees: float = 0.0):
    """An autoencoder whose code is the components of the digits, the last one turned toward the next by an angle.

    Returned with the variances of all components.
    """
    data = nacre.load_data("digits")
    model = nacre.create("ae", data.spec, latent=K, hidden=(), activation="identity")
    x = data.examples().x.flatten(1)
    fitted = PCA(svd_solver="full").fit(x.double().numpy())
    basis = torch.tensor(fitted.components_)  # (d, d)
    angle = math.radians(degrees)
    turned = math.cos(angle) * basis[K - 1] + math.sin(angle) * basis[K]
    rows = torch.cat([basis[: K - 1], turned[None]]).float()
    with torch.no_grad():
        model.mean.copy_(torch.tensor(fitted.mean_).float().view(data.spec.shape))
        scale = float(model.from_data.scale)
        encoder, decoder = model.encoder[1], model.decoder[0]
        encoder.weight.copy_(scale * rows)
        decoder.weight.copy_(rows.T / scale)
        encoder.bias.zero_()
        decoder.bias.zero_()
    return model, fitted.explained_variance_


def test_the_components_themselves_have_ratio_1_and_angle_0():
    model, _ = linear_autoencoder()
    report = nacre.evaluate(model, "digits", ["pca"])
    assert report.get("pca_ratio").value == pytest.approx(1, abs=1e-5)
    assert report.get("pca_angle").value == pytest.approx(0, abs=1e-3)
    test = nacre.load_data("digits:test").examples().x.flatten(1).double().numpy()
    known = PCA(K, svd_solver="full").fit(nacre.load_data("digits").examples().x.flatten(1).double().numpy())
    error = ((known.inverse_transform(known.transform(test)) - test) ** 2).mean()
    assert report.get("pca_ratio").references["PCA's squared error per value"] == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize("degrees", [0.1, 1.0, 30.0])
def test_a_turned_component_is_found_by_its_angle_and_costs_what_it_loses(degrees):
    model, variances = linear_autoencoder(degrees)
    report = nacre.evaluate(model, nacre.load_data("digits").examples().x, ["pca"])  # fitted and judged on the same
    assert report.get("pca_angle").value == pytest.approx(degrees, rel=1e-3)
    best = variances[K:].sum()
    lost = math.sin(math.radians(degrees)) ** 2 * (variances[K - 1] - variances[K])
    assert report.get("pca_ratio").value == pytest.approx((best + lost) / best, rel=1e-5)


def test_components_agree_with_sklearn():
    x = torch.randn(400, 12) * torch.linspace(3, 0.5, 12) + 7
    mean, components = principal_components(x, 3)
    known = PCA(3, svd_solver="full").fit(x.double().numpy())
    assert torch.allclose(mean, torch.tensor(known.mean_))
    assert largest_angle(components, torch.tensor(known.components_).T) == pytest.approx(0, abs=1e-5)


def test_other_models_cannot_be_judged_by_it():
    model = nacre.create("rbm", nacre.load_data("digits").spec, hidden=4)
    with pytest.raises(NacreError, match="rbm cannot be judged by pca here: it is no autoencoder"):
        nacre.evaluate(model, "digits", ["pca"])
    plain = nacre.create("ae", nacre.load_data("digits").spec, latent=2, hidden=(8,))
    assert [result.name for result in nacre.evaluate(plain, "digits", ["pca"])] == ["pca_ratio"]
