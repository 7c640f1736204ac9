"""The residual networks: exact sizes for any image, SN-GAN's rules, and what the blocks compute."""

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from nacre.nets.pyramid import shrink
from nacre.nets.resnet import DownBlock, UpBlock, res_decoder, res_encoder

SIZES = [(8, 8), (20, 28), (28, 28), (33, 33), (70, 40)]
every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


@every_size
@pytest.mark.parametrize("channels", [1, 3])
def test_both_take_every_size(size, channels):
    shape = (channels, *size)
    image = res_decoder(5, shape, 2)(torch.randn(2, 5))
    trunk = res_encoder(shape, 2)
    assert image.shape == (2, *shape)
    assert trunk(image).shape == (2, trunk.features)


@every_size
def test_the_encoder_goes_through_the_decoders_maps(size):
    encoder, decoder = res_encoder((3, *size), 2), res_decoder(5, (3, *size), 2)
    shapes: dict[type, list] = {UpBlock: [], DownBlock: []}
    for module in [*encoder.modules(), *decoder.modules()]:
        if isinstance(module, UpBlock | DownBlock):
            module.register_forward_hook(
                lambda m, args, out: shapes[type(m)].append((args[0].shape[2:], out.shape[2:]))
            )
    encoder(decoder(torch.randn(2, 5)))
    assert shapes[UpBlock] == [(out, into) for into, out in reversed(shapes[DownBlock][:-1])]


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (1, 3)])
def test_halving_an_odd_side_averages_what_is_there(size):
    """A constant stays a constant: no zero of a padding is counted."""
    assert torch.allclose(shrink(torch.full((1, 2, *size), 3.0)), torch.tensor(3.0))
    x = torch.randn(1, 1, *size)
    assert torch.allclose(shrink(x)[0, 0, -1, -1], x[0, 0, (size[0] - 1) // 2 * 2 :, (size[1] - 1) // 2 * 2 :].mean())


def test_a_block_whose_branch_is_silent_is_its_shortcut():
    x = torch.randn(2, 3, 5, 4)
    up = UpBlock(3, 6, (9, 8), "relu", norm=False)
    down = DownBlock(3, 6, "relu")
    for block in (up, down):
        nn.init.zeros_(block.conv2.weight)
        nn.init.zeros_(block.conv2.bias)
    assert torch.allclose(up(x), up.shortcut(interpolate(x, size=(9, 8))), atol=1e-6)
    assert torch.allclose(down(x), shrink(down.shortcut(x)), atol=1e-6)


def test_the_first_block_sees_the_sign_of_the_data():
    """An activation before its first convolution would make all negative images alike."""
    x = -torch.rand(1, 1, 8, 8)
    for first in (True, False):
        block = DownBlock(1, 4, "relu", first=first)
        nn.init.zeros_(block.shortcut.weight)
        assert torch.equal(block(x), block(2 * x)) == (not first)
    trunk = res_encoder((1, 8, 8), 4)
    assert [b.first for b in trunk.blocks] == [True, False]
    assert [b.halve for b in trunk.blocks] == [True, False]


def test_the_trunk_sums_over_places():
    """Features at the end are summed, not averaged or flattened: with the last map at 1 each is its 16 places."""
    trunk = res_encoder((1, 16, 16), 4)
    for layer in (trunk.blocks[-1].conv2, trunk.blocks[-1].shortcut):
        nn.init.zeros_(layer.weight)
        nn.init.constant_(layer.bias, 0.5)
    assert torch.allclose(trunk(torch.rand(3, 1, 16, 16)), torch.full((3, 8), 16.0))


@pytest.mark.parametrize("norm", [True, False])
def test_norms_stand_before_activations_and_no_bias_is_idle(norm):
    decoder = res_decoder(4, (3, 16, 16), 4, norm=norm)
    norms = [m for m in decoder.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == (2 * 2 + 1) * norm
    decoder(torch.randn(8, 4)).square().sum().backward()
    for name, p in decoder.named_parameters():
        assert p.grad.abs().max() > 1e-6, f"{name} is idle"


def test_every_parameter_of_the_trunk_has_a_gradient_and_a_second_one():
    trunk = res_encoder((3, 9, 9), 4)
    x = torch.randn(4, 3, 9, 9, requires_grad=True)
    (slope,) = torch.autograd.grad(trunk(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    weights = {name for name, p in trunk.named_parameters() if name.endswith("weight")}
    moved = {name for name, p in trunk.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert weights <= moved
