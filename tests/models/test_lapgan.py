"""The pyramid of games: what each level sees, and that sampling inverts the pyramid."""

import pytest
import torch
from torch.nn.functional import softplus

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.losses.penalties import r1
from nacre.models.gans.lapgan import LAPGAN, sizes
from nacre.nets.pyramid import laplacian


def small(*shape: int, **options) -> LAPGAN:
    return LAPGAN(Spec.image(*shape), latent=3, hidden=(8,), channels=2, **options)


class Always(torch.nn.Module):
    """A generator that draws one given thing, whatever it is told."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def forward(self, z, coarse=None):
        return self.what


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 33, 20)], ids=str)
def test_generators_that_draw_the_true_residuals_give_the_image(shape):
    model, x = small(*shape), torch.rand(4, *shape)
    model.generators = torch.nn.ModuleList(Always(band) for band in laplacian(x, len(model.sizes) - 1))
    assert torch.allclose(model.sample(4), x, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "levels", "expected"),
    [(8, 0, [8, 4]), (28, 0, [28, 14, 7]), (32, 0, [32, 16, 8]), (28, 3, [28, 14, 7, 4]), (3, 0, [3, 2])],
)
def test_the_levels_go_down_to_eight_pixels_or_as_far_as_asked(side, levels, expected):
    assert small(1, side, side, levels=levels).sizes == [(n, n) for n in expected]


def test_every_discriminator_sees_the_image_of_its_level_beside_the_coarse_one():
    model, x = small(1, 12, 12, levels=2), torch.rand(6, 1, 12, 12)
    bands = laplacian(x, 2)
    for k in range(3):
        real, coarse = model.level(k, x)
        if coarse is None:
            assert k == 2 and torch.allclose(real, bands[2])
        else:
            assert torch.allclose(real - coarse, bands[k], atol=1e-6)
        torch.manual_seed(1)
        made = model.made(k, torch.randn(6, 3), coarse)
        pair = [images if coarse is None else torch.cat([images, coarse], 1) for images in (real, made)]
        scores = [model.discriminators[k](images) for images in pair]
        torch.manual_seed(1)
        terms = model.discriminator_loss(k, Batch(x=x))
        assert torch.allclose(terms["non-saturating"], softplus(-scores[0]).mean() + softplus(scores[1]).mean())
        judged = r1(lambda images, k=k, coarse=coarse: model.score(k, images, coarse), real)
        assert torch.allclose(terms["r1"], 0.1 / 2 * judged, rtol=1e-4)


def test_a_level_learns_from_real_images_only():
    """No generator's loss depends on another level's networks."""
    model, x = small(1, 8, 8), torch.rand(6, 1, 8, 8)
    for k in range(2):
        others = [*model.generators[1 - k].parameters(), *model.discriminators[1 - k].parameters()]
        slopes = torch.autograd.grad(model.generator_loss(k, Batch(x=x))["non-saturating"], others, allow_unused=True)
        assert all(slope is None for slope in slopes)


def test_a_code_holds_the_noise_of_every_level():
    """Changing the finest level's noise leaves the coarser image that it refines as it was."""
    model = small(1, 8, 8).eval()
    z = torch.randn(5, model.latent)
    assert model.latent == 2 * 3
    other = z.clone()
    other[:, :3] = torch.randn(5, 3)
    seen = []
    model.generators[0].register_forward_hook(lambda module, inputs, output: seen.append(inputs[1]))
    assert not torch.equal(model.decode(z), model.decode(other))
    assert torch.equal(*seen)


def test_it_refuses_vectors_and_too_many_levels():
    with pytest.raises(NacreError, match="needs images"):
        LAPGAN(Spec((4,)))
    with pytest.raises(NacreError, match="cannot be halved 4 times"):
        small(1, 8, 8, levels=4)


@pytest.mark.parametrize("shape", [(3, 64), (2, 32), (64, 4)])
def test_levels_of_thin_images_end_where_a_side_is_one(shape):
    found = sizes(Spec.image(1, *shape), 0)
    assert len(found) > 1 and min(found[-1]) >= 1
