"""The share of power at the frequencies of grids, in closed form and on images upsampled in several ways."""

import math

import pytest
import torch
from torch.nn.functional import conv_transpose2d, interpolate

import nacre
from nacre.errors import NacreError
from nacre.metrics.checkerboard import power, share


def smooth(n, side=32, seed=0):
    """Images of a few blobs, without fine detail."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 1, side // 4, side // 4, generator=generator)
    return interpolate(x, size=(side, side), mode="bicubic").clamp(0, 1)


def wave(fy, fx, side=16):
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return 0.5 + 0.4 * torch.cos(2 * math.pi * (fy * y + fx * x))[None, None]


@pytest.mark.parametrize(
    ("fy", "fx", "by_2", "by_4"),
    [
        (0.5, 0.5, 1, 0),
        (0.5, 0.125, 1, 0),
        (0, 0.5, 1, 0),
        (0.25, 0.125, 0, 1),
        (0.25, 0.5, 1, 0),
        (0.125, 0.375, 0, 0),
    ],
)
def test_a_wave_is_all_or_nothing(fy, fx, by_2, by_4):
    found = power(wave(fy, fx).repeat(2, 3, 1, 1))
    assert torch.allclose(found[:, :2] / found[:, 2:], torch.tensor([by_2, by_4]).double(), atol=1e-9)


def test_a_sum_of_waves_has_the_mean_of_their_shares_and_the_mean_does_not_count():
    x = (wave(0.5, 0) + 0.5 * wave(0.125, 0)) / 2
    for offset in (0, 5):
        assert share(power(x + offset)) == pytest.approx(2 / (2 + 0.25), rel=1e-6)


def test_white_noise_has_the_share_of_the_places():
    """At 16 pixels 3 of 16 frequencies of either axis: 1 - 13^2 / 16^2 of all places, without the constant."""
    assert share(power(torch.randn(2000, 1, 16, 16))) == pytest.approx((256 - 169) / 255, rel=0.01)


def test_sides_are_cropped_to_multiples_of_four():
    x = torch.rand(3, 2, 18, 23)
    assert torch.equal(power(x), power(x[..., :16, :20]))


def test_constant_images_have_no_share():
    assert share(power(torch.full((2, 1, 16, 16), 0.3))) == 0


def test_it_sees_grids_and_not_smooth_upsampling():
    real, other = smooth(300), smooth(300, seed=1)
    half = interpolate(other, scale_factor=0.5, mode="area")
    uneven = conv_transpose2d(half, torch.ones(1, 1, 3, 3) / 2.25, stride=2, padding=1, output_padding=1)
    samplers = {
        "real": other,
        "bilinear": interpolate(half, scale_factor=2, mode="bilinear", align_corners=False),
        "nearest": interpolate(half, scale_factor=2),
        "uneven": uneven.clamp(0, 1),
        "grid": (other + 0.1 * wave(0.5, 0.5, 32) - 0.05).clamp(0, 1),
    }
    found = {name: nacre.evaluate(x, real, ["checkerboard"]).get("checkerboard") for name, x in samplers.items()}
    reference = found["real"].references["real images"]
    assert found["real"].details["ratio"] == pytest.approx(found["real"].value / reference)
    assert 0.8 < found["real"].details["ratio"] < 1.25
    assert found["bilinear"].value < 1.25 * reference
    assert found["grid"].value > 3 * reference
    assert found["nearest"].value < 1.25 * reference, "blocks of equal pixels have no power at 1/2"
    assert found["nearest"].details["by_2"] < 1e-6
    assert found["uneven"].value > 10 * reference
    assert found["grid"].interval[0] < found["grid"].value < found["grid"].interval[1]
    assert found["grid"].details["by_2"] > 10 * found["real"].details["by_2"]


def test_vectors_and_small_images_are_refused():
    with pytest.raises(NacreError, match="cannot be judged by checkerboard here: the data are no images"):
        nacre.evaluate(torch.rand(9, 3), torch.rand(9, 3), ["checkerboard"])
    with pytest.raises(NacreError, match="smaller than 16 x 16"):
        nacre.evaluate(torch.rand(9, 1, 8, 8), torch.rand(9, 1, 8, 8), ["checkerboard"])
