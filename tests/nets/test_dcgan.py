"""The convolutional networks: exact sizes for any image, mirrored maps, and DCGAN's rules."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.models.gans.dcgan import DCGAN
from nacre.nets import coder
from nacre.nets.dcgan import Down, Up, conv_decoder, conv_encoder, halvings, initialise, widths

SIZES = [(8, 8), (20, 28), (28, 28), (33, 33), (100, 40)]
every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
every_channel = pytest.mark.parametrize("channels", [1, 4])
every_upsampling = pytest.mark.parametrize("upsampling", ["transposed", "resize", "bilinear", "uneven"])


def layers(network: nn.Module) -> list[nn.Module]:
    """The modules that hold no others, in the order of the forward pass."""
    return [m for m in network.modules() if not list(m.children())]


def weighted(network: nn.Module) -> list[tuple[nn.Module, list[nn.Module]]]:
    """Every layer with weights, with what follows it up to the next one."""
    result: list[tuple[nn.Module, list[nn.Module]]] = []
    for layer in layers(network):
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            result.append((layer, []))
        elif result:
            result[-1][1].append(layer)
    return result


def kinds(modules: list[nn.Module]) -> set[type]:
    return {type(m) for m in modules}


@every_size
@every_channel
@every_upsampling
def test_the_decoder_gives_exactly_the_images_size(size, channels, upsampling):
    shape = (channels, *size)
    assert conv_decoder(5, shape, 2, norm=True, upsampling=upsampling)(torch.randn(2, 5)).shape == (2, *shape)


@every_size
@every_channel
def test_the_encoder_takes_every_size(size, channels):
    assert conv_encoder((channels, *size), 7, 2)(torch.randn(2, channels, *size)).shape == (2, 7)


@every_size
@every_upsampling
def test_the_decoder_mirrors_the_encoders_maps(size, upsampling):
    shapes: list[tuple[int, ...]] = []
    encoder, decoder = conv_encoder((3, *size), 7, 2), conv_decoder(7, (3, *size), 2, upsampling=upsampling)
    for module in [*encoder.modules(), *decoder.modules()]:
        if isinstance(module, Down | Up):
            module.register_forward_hook(lambda m, args, out: shapes.append((tuple(args[0].shape), tuple(out.shape))))
    x = torch.randn(2, 3, *size)
    decoder(encoder(x))
    down, up = shapes[: len(shapes) // 2], shapes[len(shapes) // 2 :]
    assert up == [(out, into) for into, out in reversed(down)]


@every_size
def test_maps_halve_down_to_about_four(size):
    sizes = halvings(*size)
    assert sizes[0] == size and max(sizes[-1]) <= 6 and min(sizes[-1]) >= 2
    for (h, w), (half_h, half_w) in pairwise(sizes):
        assert 2 * half_h - h in (0, 1) and 2 * half_w - w in (0, 1)


def test_widths_double_up_to_eightfold():
    assert widths(4, 6) == [4, 8, 16, 32, 32, 32]


def test_a_transposed_convolution_builds_no_checkerboard_in():
    """With equal weights and a constant map every inner output is the same: each sees as many inputs."""
    up = Up(1, 1, (10, 9), "transposed", bias=False)
    nn.init.ones_(up.conv.weight)
    inner = up(torch.ones(1, 1, 5, 5))[..., 1:-1, 1:8]
    assert torch.equal(inner, torch.full_like(inner, 4))


def test_an_odd_map_is_padded_not_cut():
    """Every input pixel has an influence on a strided convolution's output."""
    x = torch.randn(1, 1, 7, 5, requires_grad=True)
    down = Down(1, 1)
    nn.init.ones_(down.conv.weight)
    down(x).sum().backward()
    assert down(x).shape == (1, 1, 4, 3) and (x.grad > 0).all()


@every_size
@every_upsampling
def test_dcgans_five_rules(size, upsampling):
    model = DCGAN(Spec.image(3, *size), channels=2, upsampling=upsampling)
    generator, discriminator = weighted(model.generator), weighted(model.discriminator)
    every = [*layers(model.generator), *layers(model.discriminator)]
    assert not [m for m in every if "Pool" in type(m).__name__ or "Upsample" in type(m).__name__]

    dense = [i for i, (layer, _) in enumerate(generator) if isinstance(layer, nn.Linear)]
    assert dense == [0], "only the generator's projection is dense"
    dense = [i for i, (layer, _) in enumerate(discriminator) if isinstance(layer, nn.Linear)]
    assert dense == [len(discriminator) - 1], "only the discriminator's score is dense"
    assert discriminator[-1][0].out_features == 1

    for layer, after in generator[:-1]:
        assert kinds(after) - {nn.Unflatten} == {nn.BatchNorm2d, nn.ReLU} and layer.bias is None
    assert nn.BatchNorm2d not in kinds(generator[-1][1]) and nn.ReLU not in kinds(generator[-1][1])
    assert generator[-1][0].bias is not None

    for i, (layer, after) in enumerate(discriminator[:-1]):
        expected = {nn.LeakyReLU} if i == 0 else {nn.BatchNorm2d, nn.LeakyReLU}
        assert kinds(after) - {nn.Flatten} == expected and (layer.bias is None) == (i > 0)
        assert layer.stride == (2, 2)
    assert not discriminator[-1][1]
    assert {m.negative_slope for m in layers(model.discriminator) if isinstance(m, nn.LeakyReLU)} == {0.2}

    for m in every:
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
            multiple = all(k % s == 0 for k, s in zip(m.kernel_size, m.stride, strict=True))
            assert multiple or upsampling == "uneven"


def test_only_the_uneven_upsampling_builds_a_checkerboard_in():
    """With all weights 1 and a flat map, every inner output sees as many inputs, unless the kernel is uneven."""
    spread = {}
    for upsampling in ("transposed", "resize", "bilinear", "uneven"):
        up = Up(1, 1, (12, 12), upsampling, bias=False)
        nn.init.ones_(up.conv.weight)
        inner = up(torch.ones(1, 1, 6, 6)).detach()[..., 2:-2, 2:-2]
        spread[upsampling] = float(inner.max() - inner.min())
    assert spread.pop("uneven") == 3 and not any(spread.values())


def test_the_generators_output_is_tanh_in_the_datas_units():
    model = DCGAN(Spec.image(1, 8, 8), channels=2, latent=3)
    z = 30 * torch.randn(4, 3)
    assert torch.allclose(model.generator(z), (torch.tanh(model.generator[0](z)) + 1) / 2)


def test_dcgan_draws_weights_as_the_paper_does():
    model = DCGAN(Spec.image(3, 32, 32), channels=16)
    for layer, _ in [*weighted(model.generator), *weighted(model.discriminator)]:
        assert abs(layer.weight.mean()) < 5 * 0.02 / layer.weight.numel() ** 0.5
        if layer.weight.numel() > 2000:
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
        assert layer.bias is None or not layer.bias.any()


def test_initialise_centres_norms_at_one():
    norm = nn.BatchNorm2d(20_000).apply(initialise)
    assert norm.weight.mean().item() == pytest.approx(1, abs=1e-3) and norm.weight.std().item() == pytest.approx(
        0.02, rel=0.05
    )


def test_dcgan_refuses_vectors():
    with pytest.raises(NacreError, match="needs images"):
        DCGAN(Spec((4,)))


@pytest.mark.parametrize(
    ("spec", "network", "conv"),
    [
        (Spec.image(1, 8, 8), "auto", False),
        (Spec.image(1, 28, 28), "auto", True),
        (Spec.image(1, 8, 40), "auto", False),
        (Spec.image(1, 8, 8), "conv", True),
        (Spec.image(1, 28, 28), "dense", False),
        (Spec((784,)), "auto", False),
    ],
)
def test_images_of_sixteen_pixels_and_more_get_convolutions(spec, network, conv):
    encoder = coder.encoder(spec, 6, (12,), 4, network, "relu")
    decoder = coder.decoder(spec, 6, (12,), 4, network, "relu")
    for net in (encoder, decoder):
        assert any(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in net.modules()) == conv
    assert decoder(encoder(torch.rand(2, *spec.shape))).flatten(1).shape == (2, spec.size)


def test_convolutions_of_vectors_are_refused():
    with pytest.raises(NacreError, match="needs images"):
        coder.encoder(Spec((9,)), 2, (), 4, "conv", "relu")
