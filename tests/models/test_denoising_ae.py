"""The denoising autoencoder: what it damages, what it restores, and the linear one in closed form."""

import copy
import math

import pytest
import torch

import nacre
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.models.autoencoders.denoising_ae import DenoisingAE
from nacre.nets.corruption import Corruption

QUIET = {"device": "cpu", "progress": False}


def share_of(hits: torch.Tensor) -> float:
    return hits.double().mean().item()


def within(measured: float, expected: float, n: int) -> bool:
    return abs(measured - expected) < 4.5 * (expected * (1 - expected) / n) ** 0.5


def test_masking_zeroes_its_share_and_leaves_the_rest():
    x = 1 + torch.rand(500, 100)
    damaged = Corruption("mask", 0.3)(x)
    gone = damaged == 0
    assert within(share_of(gone), 0.3, x.numel())
    assert torch.equal(damaged[~gone], x[~gone])


def test_salt_and_pepper_takes_both_extremes_equally_often():
    x = 0.2 + 0.6 * torch.rand(500, 100)
    damaged = Corruption("salt-and-pepper", 0.4)(x, bounded=True)
    assert within(share_of(damaged == 0), 0.2, x.numel()) and within(share_of(damaged == 1), 0.2, x.numel())
    kept = (damaged != 0) & (damaged != 1)
    assert torch.equal(damaged[kept], x[kept])
    x = torch.randn(500, 3) * torch.tensor([1.0, 10.0, 100.0])
    damaged = Corruption("salt-and-pepper", 0.4)(x)
    assert torch.equal(damaged.amin(0), x.amin(0)) and torch.equal(damaged.amax(0), x.amax(0))
    assert within(share_of(damaged == x.amax(0)), 0.2, x.numel())


def test_normal_noise_has_its_standard_deviation():
    x = torch.rand(1000, 100)
    noise = Corruption("gaussian", 1.5)(x) - x
    assert abs(noise.mean()) < 4.5 * 1.5 / x.numel() ** 0.5
    assert abs(noise.std() - 1.5) < 4.5 * 1.5 / (2 * x.numel()) ** 0.5


@pytest.mark.parametrize("noise", ["mask", "gaussian", "salt-and-pepper"])
def test_no_level_is_no_noise(noise):
    x = torch.randn(5, 4)
    assert torch.equal(Corruption(noise, 0.0)(x), x)


@pytest.mark.parametrize(("noise", "level"), [("mask", 1.0), ("salt-and-pepper", 1.2), ("gaussian", -0.1)])
def test_levels_out_of_range_are_named(noise, level):
    with pytest.raises(NacreError, match="corruption is"):
        DenoisingAE(Spec.image(1, 2, 2), latent=2, noise=noise, corruption=level)


@pytest.mark.parametrize("noise", ["mask", "gaussian", "salt-and-pepper"])
def test_the_target_is_clean(noise):
    """A decoder that says 1/2 everywhere pays log 2 per pixel, whatever the noise did to the input."""
    model = DenoisingAE(Spec.image(1, 3, 3), latent=4, noise=noise, corruption=0.9)
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    assert model.restoration(Batch(x=torch.rand(6, 1, 3, 3))).item() == pytest.approx(9 * math.log(2), rel=1e-6)
    table = DenoisingAE(Spec((3,), center=(1.0, 2.0, 3.0), scale=(2.0, 2.0, 2.0)), latent=4, noise=noise, tied=False)
    with torch.no_grad():
        for p in table.decoder.parameters():
            p.zero_()
    x = torch.randn(7, 3)
    expected = ((x - torch.tensor([1.0, 2.0, 3.0])) / 2).square().sum(1).mean()
    assert torch.allclose(table.restoration(Batch(x=x)), expected)


def test_only_training_damages():
    model = DenoisingAE(Spec.image(1, 3, 3), latent=4, hidden=(5,), corruption=0.9)
    x, ((first, _), (second, _)) = torch.rand(6, 1, 3, 3), model.encoder
    z = torch.sigmoid(second(torch.sigmoid(first(x.flatten(1)))))
    assert torch.allclose(model.encode(x), z)
    h = torch.sigmoid(z @ second.weight + model.decoder.biases[0])
    expected = torch.sigmoid(h @ first.weight + model.decoder.biases[1]).view(6, 1, 3, 3)
    assert torch.allclose(model.reconstruct(x), expected, atol=1e-6)


def test_tied_weights_have_one_owner():
    spec = Spec.image(1, 3, 3)
    assert sum(p.numel() for p in DenoisingAE(spec, latent=4).parameters()) == 9 * 4 + 4 + 9
    assert sum(p.numel() for p in DenoisingAE(spec, latent=4, tied=False).parameters()) == 2 * 9 * 4 + 4 + 9
    model = DenoisingAE(spec, latent=4)
    twin = copy.deepcopy(model)
    before = model.decode(torch.ones(1, 4))
    with torch.no_grad():
        model.encoder[0][0].weight.add_(1)
    assert not torch.allclose(model.decode(torch.ones(1, 4)), before)
    assert torch.equal(twin.decode(torch.ones(1, 4)), before)


@pytest.mark.parametrize("noise", ["gaussian", "mask"])
def test_the_linear_one_is_the_known_filter(noise):
    """Normal noise: the Wiener filter S (S + level^2)^-1; masks: P Q^-1 of Chen et al. 2012 (marginalised)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(512, 3, generator=generator) @ torch.tensor([[1.0, 0.9, 0.0], [0.0, 0.5, 0.4], [0.0, 0.0, 1.0]])
    x = x - x.mean(0)
    s, level = (x.T @ x / len(x)).double(), 0.4
    if noise == "gaussian":
        best = s @ torch.linalg.inv(s + level**2 * torch.eye(3))
    else:
        keep = 1 - level
        best = keep * s @ torch.linalg.inv(keep**2 * s + keep * level * torch.diag(s.diag()))
    torch.manual_seed(0)
    spec = Spec((3,))
    model = DenoisingAE(spec, latent=3, noise=noise, corruption=level, tied=False, activation="identity")
    model.fit(Data(x, spec=spec), steps=800, batch_size=512, lr=0.02, ema=0.99, **QUIET)
    learned = model.decoder[0].weight @ model.encoder[0][0].weight
    assert torch.allclose(learned.double(), best, atol=0.03)


def test_it_restores_digits_better_than_it_found_them():
    torch.manual_seed(0)
    digits, test = nacre.load_data("digits"), nacre.load_data("digits:test").examples().x
    model = DenoisingAE(digits.spec, latent=100, noise="salt-and-pepper", corruption=0.2)
    model.fit(digits, steps=300, lr=3e-3, **QUIET)
    torch.manual_seed(1)
    damaged = model.corrupt(test, bounded=True)
    before, after = ((y - test).square().mean() for y in (damaged, model.reconstruct(damaged)))
    assert after < before / 2
