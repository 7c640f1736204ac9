"""Progressive growing: a new level begins as the old networks, and a saved run knows how far it had grown."""

import math

import pytest
import torch

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.model import Model
from nacre.models.gans.progressive_gan import ProgressiveGAN
from nacre.nets.progressive import EqualConv2d, EqualLinear, PixelNorm
from nacre.nets.pyramid import enlarge, shrink

SIZES = [(8, 8), (28, 28), (33, 20)]
every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def small(*size: int, channels: int = 1, **options) -> ProgressiveGAN:
    return ProgressiveGAN(Spec.image(channels, *size), latent=5, channels=2, **options)


@every_size
def test_at_alpha_zero_both_networks_are_those_of_the_level_below(size):
    model, z = small(*size, channels=3), torch.randn(4, 5)
    for level in range(1, len(model.sizes)):
        old = model.generator(z, level - 1)
        assert torch.allclose(model.generator(z, level, 0.0), enlarge(old, model.sizes[level]), atol=1e-6)
        x = torch.rand(4, 3, *model.sizes[level])
        expected = model.discriminator(shrink(x), level - 1)
        assert torch.allclose(model.discriminator(x, level, 0.0), expected, atol=1e-6)


@every_size
def test_at_alpha_one_the_level_below_no_longer_shows(size):
    model, z = small(*size), torch.randn(4, 5)
    for level in range(1, len(model.sizes)):
        whole = model.generator(z, level)
        assert torch.allclose(model.generator(z, level, 1.0), whole, atol=1e-6)
        assert not torch.allclose(model.generator(z, level, 0.5), whole, atol=1e-6)
        x = torch.rand(4, 1, *model.sizes[level])
        assert torch.allclose(model.discriminator(x, level, 1.0), model.discriminator(x, level), atol=1e-6)


def test_phases_fade_in_and_stay_from_the_coarsest_level_on():
    model = small(28, 28, last=3.0)
    assert [(phase.name, phase.share) for phase in model.phases()] == [
        ("4 x 4", 1.0), ("fade in 7 x 7", 1.0), ("7 x 7", 1.0), ("fade in 14 x 14", 1.0), ("14 x 14", 1.0),
        ("fade in 28 x 28", 1.0), ("28 x 28", 3.0),
    ]  # fmt: skip
    assert [phase.name for phase in small(28, 28, growing=False).phases()] == ["28 x 28"]


def test_every_phase_plays_at_its_own_size():
    model, seen = small(8, 8), []

    def watch(module, inputs):
        x, _, alpha = inputs
        seen.append((*x.shape[2:], None if alpha is None else alpha.item()))

    model.discriminator.register_forward_pre_hook(watch)
    data = Data(torch.rand(32, 1, 8, 8), spec=model.spec)
    model.fit(data, steps=6, batch_size=8, device="cpu", progress=False)
    assert [seen[i] for i in range(0, 18, 3)] == [
        (4, 4, None), (4, 4, None), (8, 8, 0.0), (8, 8, 0.5), (8, 8, None), (8, 8, None)
    ]  # fmt: skip


def test_a_saved_model_has_grown_as_far_as_it_had(tmp_path):
    model = small(28, 28).eval()
    model.grow(2, fading=True)
    model.progress.fill_(0.25)
    model.save_pretrained(tmp_path)
    loaded = Model.from_pretrained(tmp_path)
    assert isinstance(loaded, ProgressiveGAN) and (loaded.level, loaded.fading) == (2, True)
    x = loaded.sample(3, seed=0)
    assert x.shape == (3, 1, 28, 28) and torch.allclose(x, model.sample(3, seed=0), atol=1e-6)
    model.grow(2, fading=False)
    assert not torch.allclose(x, model.sample(3, seed=0), atol=1e-3)


def test_a_batch_is_resized_by_means():
    model, x = small(8, 8), torch.rand(2, 1, 8, 8)
    model.grow(0, fading=False)
    small_x = model.resized(Batch(x=x, y=torch.zeros(2))).x
    assert torch.allclose(small_x, x.unflatten(3, (4, 2)).unflatten(2, (4, 2)).mean((3, 5)))


def test_equalised_weights_are_normal_and_scaled_when_used():
    for layer, fan_in, x in (
        (EqualConv2d(9, 50, 3), 81, torch.randn(2, 9, 6, 6)),
        (EqualLinear(64, 300), 64, torch.randn(2, 64)),
    ):
        assert layer.weight.std().item() == pytest.approx(1, rel=0.05) and not layer.bias.any()
        plain = type(layer).__mro__[1].forward(layer, x)  # the same layer without the factor
        assert torch.allclose(layer(x), plain * math.sqrt(2 / fan_in), atol=1e-5)


def test_pixel_norm_gives_every_pixel_length_root_channels():
    x = PixelNorm()(5 * torch.randn(3, 7, 4, 4))
    assert torch.allclose(x.square().mean(1), torch.ones(3, 4, 4), atol=1e-5)


def test_it_refuses_vectors_and_a_last_phase_of_no_length():
    with pytest.raises(NacreError, match="needs images"):
        ProgressiveGAN(Spec((4,)))
    with pytest.raises(NacreError, match="above 0"):
        small(8, 8, last=0.0)
