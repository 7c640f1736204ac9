"""The contractive autoencoder: its penalty is the Jacobian's norm, in closed form and estimated."""

import pytest
import torch
from torch import nn
from torch.func import jacrev, vmap

import nacre
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.losses.jacobian import hutchinson_jacobian, sigmoid_jacobian, signs
from nacre.models.autoencoders.contractive_ae import ContractiveAE


def layer() -> tuple[nn.Sequential, torch.Tensor, torch.Tensor]:
    """A layer of 6 sigmoid units on 5 inputs, 7 examples, and |dh/dx|^2 by differentiating every output."""
    torch.manual_seed(0)
    encoder, x = nn.Sequential(nn.Linear(5, 6), nn.Sigmoid()).double(), torch.randn(7, 5).double()
    return encoder, x, vmap(jacrev(encoder))(x).square().sum((1, 2)).detach()


def test_the_closed_form_is_the_jacobians_norm():
    encoder, x, norm = layer()
    assert torch.allclose(sigmoid_jacobian(encoder(x), encoder[0].weight), norm, rtol=1e-12)


def test_the_estimate_is_exact_on_a_basis_with_its_gradient():
    encoder, x, norm = layer()
    basis = (6**0.5 * torch.eye(6).double())[:, None].expand(6, 7, 6)
    estimate = hutchinson_jacobian(encoder, x, basis)
    assert torch.allclose(estimate, norm, rtol=1e-12)
    closed = torch.autograd.grad(sigmoid_jacobian(encoder(x), encoder[0].weight).sum(), list(encoder.parameters()))
    estimated = torch.autograd.grad(estimate.sum(), list(encoder.parameters()))
    assert all(torch.allclose(a, b, rtol=1e-10) for a, b in zip(closed, estimated, strict=True))


def test_the_estimate_is_unbiased():
    """Over 500 probes the mean is within 4 standard errors of the norm; signs are fair."""
    encoder, x, norm = layer()
    probes = signs(500, torch.zeros(7, 6).double())
    assert set(probes.unique().tolist()) == {-1.0, 1.0} and abs(probes.mean()) < 4.5 / probes.numel() ** 0.5
    draws = torch.stack([hutchinson_jacobian(encoder, x, probes[i : i + 1]).detach() for i in range(len(probes))])
    error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - norm).abs() < 4 * error).all()


@pytest.mark.parametrize("hidden", [(), (4,)])
def test_a_deep_or_other_encoder_is_estimated(hidden):
    torch.manual_seed(0)
    digits = nacre.load_data("digits")
    model = ContractiveAE(digits.spec, latent=6, hidden=hidden, norm="estimated", probes=400, activation="tanh")
    x = model.rows(digits.examples(3).x)
    norm = vmap(jacrev(model.encoder))(x).square().sum((1, 2))
    assert torch.allclose(model.jacobian(x, model.encoder(x)), norm, rtol=0.2)


def test_the_terms_of_the_loss():
    torch.manual_seed(0)
    digits = nacre.load_data("digits")
    batch = digits.batch(torch.arange(9))
    model = ContractiveAE(digits.spec, latent=6, penalty=0.7)
    terms = model.contraction(Batch(batch))
    norm = vmap(jacrev(model.encoder))(batch.x.flatten(1)).square().sum((1, 2)).mean()
    assert torch.allclose(terms["penalty"], 0.7 * norm, rtol=1e-5)
    y = model.reconstruct(batch.x)
    entropy = -(batch.x * y.log() + (1 - batch.x) * (1 - y).log()).sum((1, 2, 3)).mean()
    assert torch.allclose(terms["reconstruction"], entropy, rtol=1e-4)


def test_the_penalty_contracts():
    """On digits: half the squared derivative for less than twice the error on held-out examples."""
    digits, test = nacre.load_data("digits"), nacre.load_data("digits:test").examples().x
    norms, errors = [], []
    for penalty in (0.0, 0.3):
        torch.manual_seed(0)
        model = ContractiveAE(digits.spec, latent=100, penalty=penalty)
        model.fit(digits, steps=300, lr=0.01, device="cpu", progress=False)
        x = model.rows(test)
        norms.append(model.jacobian(x, model.encoder(x)).mean().item())
        errors.append((model.reconstruct(test) - test).square().mean().item())
    assert norms[1] < 0.5 * norms[0] and errors[1] < 2 * errors[0], (norms, errors)


@pytest.mark.parametrize("options", [{"hidden": (5,)}, {"activation": "tanh"}])
def test_the_closed_form_is_for_one_sigmoid_layer(options):
    with pytest.raises(NacreError, match="one layer of sigmoid"):
        ContractiveAE(nacre.load_data("digits").spec, latent=4, **options)
