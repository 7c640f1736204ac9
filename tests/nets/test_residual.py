"""Residual networks for images of any size, and the models of the family that can be built of them."""

import pytest
import torch

import nacre
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.nets import residual

IMAGE = Spec.image(1, 12, 9)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 2, 2), (2, 33, 20), (1, 5, 41)])
@pytest.mark.parametrize("hidden", [(), (7,), (9, 5)])
def test_the_decoder_mirrors_the_encoder(shape, hidden):
    encoder = residual.encoder(shape, 6, hidden, 4, "gelu")
    decoder = residual.decoder(6, shape, hidden, 4, "gelu")
    x = torch.randn(3, *shape)
    assert decoder(encoder(x)).shape == x.shape
    kinds = [type(module).__name__ for module in encoder]
    assert kinds.count("Conv2d") == [type(module).__name__ for module in decoder].count("ConvTranspose2d")
    assert kinds.count("Residual") == kinds.count("Conv2d") and kinds.count("Linear") == len(hidden) + 1


def test_a_block_begins_as_the_identity_but_for_a_bias_and_learns():
    torch.manual_seed(0)
    block, x = residual.Residual(3, "relu"), torch.randn(2, 3, 5, 5)
    assert torch.allclose(block(x), x + block.inner[3].bias.view(1, 3, 1, 1))
    block(x).square().sum().backward()
    assert all(p.grad is not None for p in block.parameters()) and block.inner[3].weight.grad.abs().max() > 0


def test_no_blocks_are_plain_halvings():
    kinds = [type(module).__name__ for module in residual.encoder((1, 28, 28), 6, (), 4, "relu", blocks=0)]
    assert kinds == ["Conv2d", "ReLU", "Conv2d", "ReLU", "Flatten", "Linear"]


@pytest.mark.parametrize(
    "name", ["ae", "vae", "iwae", "vamp-vae", "beta-tcvae", "factor-vae", "vq-vae", "cvae", "attribute-vae"]
)
def test_every_model_of_the_family_takes_the_residual_network(name):
    x = torch.rand(40, 1, 12, 9)
    data = nacre.load_data((x.numpy(), (torch.arange(40) % 2).numpy()))
    model = nacre.train(name, data, network="residual", channels=4, hidden=(16,), steps=3, batch_size=8, progress=False)
    assert any(isinstance(module, residual.Residual) for module in model.encoder.modules())
    assert any(isinstance(module, residual.Residual) for module in model.decoder.modules())
    assert model.reconstruct(data.examples(5).x).shape == (5, 1, 12, 9)


def test_conv_vae_is_the_vae_of_this_network():
    torch.manual_seed(0)
    vae = nacre.create("vae", IMAGE, network="residual", latent=4, hidden=(16,), channels=4, activation="gelu")
    conv = nacre.create("conv-vae", IMAGE, latent=4, hidden=16, channels=4)
    conv.load_state_dict(vae.state_dict())
    x = torch.rand(5, 1, 12, 9)
    assert torch.equal(conv.score_samples(x, seed=1), vae.score_samples(x, seed=1))


def test_rows_are_refused():
    with pytest.raises(NacreError, match="a residual network needs images, these data are vectors; use"):
        nacre.create("vae", Spec((3,)), network="residual")
