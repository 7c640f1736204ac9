"""A linear autoencoder finds the principal components (Baldi & Hornik 1989)."""

import torch
from games import SHARED_DATA

import nacre


def test_a_linear_autoencoder_is_pca():
    """k = 32 on MNIST (k = 8 on digits without it): test MSE at most 1.001 x PCA's, largest angle at most 1 degree."""
    name, k = ("mnist", 32) if SHARED_DATA.is_dir() else ("digits", 8)
    train, test = nacre.load_data(name), nacre.load_data(f"{name}:test")
    x, t = (data.examples().x.flatten(1).double() for data in (train, test))
    mean = x.mean(0)
    _, vectors = torch.linalg.eigh((x - mean).T @ (x - mean))
    components = vectors[:, -k:]  # (d, k)
    projection = (t - mean) @ components @ components.T + mean
    pca = (projection - t).square().mean()

    options = {"lr": 3e-3, "batch_size": 256, "steps": 6000, "progress": False}
    model = nacre.train("ae", train, latent=k, hidden=(), activation="identity", **options)
    with torch.no_grad():
        images = t.float().view(-1, *test.spec.shape)
        error = (model.prediction(model.features(images)).flatten(1).double() - t).square().mean()
    spanned, _ = torch.linalg.qr(model.decoder[0].weight.detach().double())
    cosine = torch.linalg.svdvals(spanned.T @ components).min().clamp(max=1)
    assert error / pca <= 1.001
    assert torch.rad2deg(torch.acos(cosine)) <= 1
