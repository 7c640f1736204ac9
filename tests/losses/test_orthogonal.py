"""The orthogonal penalty: zero for orthogonal filters of any length, and its closed form elsewhere."""

import pytest
import torch
from torch import nn

from nacre.losses.orthogonal import orthogonal_penalty
from nacre.nets.norms import spectral


@pytest.mark.parametrize("layer", [nn.Linear(6, 4), nn.Conv2d(2, 4, 3), nn.ConvTranspose2d(2, 4, 3)])
def test_orthogonal_filters_of_any_length_cost_nothing(layer):
    outputs = layer.weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else layer.weight
    rows = torch.linalg.qr(torch.randn(outputs[0].numel(), 4)).Q.T * torch.tensor([1.0, 2.0, 30.0, 0.0])[:, None]
    with torch.no_grad():
        outputs.copy_(rows.view(outputs.shape))
    assert orthogonal_penalty(layer) < 1e-8


def test_two_filters_cost_twice_their_squared_product():
    layer = nn.Linear(2, 2, bias=True)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, -4.0]]))
    assert orthogonal_penalty(layer).item() == 2 * (3 - 8) ** 2
    assert orthogonal_penalty(nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(3, 1))).item() == 2 * (3 - 8) ** 2


def test_its_gradient_is_that_of_the_closed_form():
    """4 (W W' * (1 - I)) W."""
    layer = nn.Linear(5, 3)
    orthogonal_penalty(layer).backward()
    w = layer.weight.detach()
    products = w @ w.T
    products.fill_diagonal_(0)
    assert torch.allclose(layer.weight.grad, 4 * products @ w, atol=1e-5)
    assert layer.bias.grad is None


def test_a_spectral_norm_is_left_out_and_left_alone():
    layer, plain = nn.Linear(5, 3), nn.Linear(5, 3)
    plain.load_state_dict(layer.state_dict())
    spectral(layer)
    before = {k: v.clone() for k, v in layer.state_dict().items()}
    assert orthogonal_penalty(layer) == orthogonal_penalty(plain)
    assert all(torch.equal(v, before[k]) for k, v in layer.state_dict().items())


def test_embeddings_and_norms_are_free():
    assert orthogonal_penalty(nn.ModuleList([nn.Embedding(4, 2), nn.BatchNorm2d(3)])) == 0


def test_it_is_float32_under_bf16():
    layer = nn.Linear(50, 30)
    exact = orthogonal_penalty(layer)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(orthogonal_penalty(layer), exact)
