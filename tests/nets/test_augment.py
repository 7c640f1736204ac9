"""Differentiable augmentation: what each kind does, its gradient, its chance, and ADA's rule."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.nets.augment import KINDS, Augment, colour, cutout, translation

IMAGE = Spec.image(3, 16, 24)
every_kind = pytest.mark.parametrize("kind", list(KINDS))


def test_translation_moves_by_whole_pixels_and_lets_zeros_in():
    h, w = 16, 24
    x = torch.rand(300, 3, h, w) + 0.1
    moved = translation(x)
    seen = set()
    for before, after in zip(x, moved, strict=True):
        rows, columns = (after[0] != 0).any(1).nonzero()[:, 0], (after[0] != 0).any(0).nonzero()[:, 0]
        top, left = int(rows[0]), int(columns[0])
        dy = top if top else int(rows[-1]) + 1 - h
        dx = left if left else int(columns[-1]) + 1 - w
        seen.add((dy, dx))
        expected = torch.zeros_like(before)
        expected[:, max(dy, 0) : h + min(dy, 0), max(dx, 0) : w + min(dx, 0)] = before[
            :, max(-dy, 0) : h + min(-dy, 0), max(-dx, 0) : w + min(-dx, 0)
        ]
        assert torch.equal(after, expected)
    assert {dy for dy, _ in seen} == set(range(-2, 3)) and {dx for _, dx in seen} == set(range(-3, 4))


def test_a_cut_is_half_of_each_side_and_each_example_has_its_own():
    cut = (cutout(torch.ones(400, 2, 16, 24)) == 0).flatten(2)
    assert torch.equal(cut[:, 0], cut[:, 1])
    places = cut[:, 0].view(-1, 16, 24)
    heights, widths = places.any(2).sum(1), places.any(1).sum(1)
    assert heights.max() == 8 and widths.max() == 12
    assert heights.min() < 8, "the middle may lie near an edge"
    assert torch.equal(places.sum((1, 2)), heights * widths)
    assert len(places.flatten(1).unique(dim=0)) > 100


def test_colour_shifts_the_mean_and_stretches_the_rest():
    """After undoing the mean, one channel is a multiple of itself by the contrast, between 0.5 and 1.5."""
    x = torch.rand(2000, 1, 4, 4)
    y = colour(x)
    flat = [v.flatten(1) - v.flatten(1).mean(1, keepdim=True) for v in (x, y)]
    contrast = (flat[0] * flat[1]).sum(1) / flat[0].square().sum(1)
    assert torch.allclose(flat[1], contrast[:, None] * flat[0], atol=1e-5)
    assert contrast.min() >= 0.499 and contrast.max() <= 1.501 and abs(contrast.mean() - 1) < 0.03
    brightness = y.mean((1, 2, 3)) - x.mean((1, 2, 3))
    assert brightness.abs().max() <= 0.2501 and brightness.std() == pytest.approx(0.5 / 12**0.5, rel=0.1)


def test_saturation_scales_the_distance_from_grey():
    x = torch.rand(500, 3, 4, 4)
    y = colour(x)
    colours = [(v - v.mean(1, keepdim=True)).flatten(1) for v in (x, y)]
    factor = (colours[0] * colours[1]).sum(1) / colours[0].square().sum(1)
    assert torch.allclose(colours[1], factor[:, None] * colours[0], atol=1e-5)
    assert factor.min() >= 0 and 1.5 < factor.max() <= 3.0


@every_kind
def test_every_kind_is_linear_in_the_example_and_twice_differentiable(kind):
    """With the same draws A(2x) - A(x) = A(x) - A(0); no example has an influence on another."""
    x = torch.rand(5, 3, 16, 24, requires_grad=True)
    outputs = []
    for scale in (0.0, 1.0, 2.0):
        torch.manual_seed(3)
        outputs.append(KINDS[kind](scale * x))
    assert torch.allclose(outputs[2] - outputs[1], outputs[1] - outputs[0], atol=1e-5)
    (own,) = torch.autograd.grad(outputs[1][2].square().sum(), x, create_graph=True)
    assert own.flatten(1).any(1).tolist() == [False, False, True, False, False]
    (second,) = torch.autograd.grad(own.square().sum(), x)
    assert second.isfinite().all() and second[2].any()


def test_with_probability_p_and_an_own_draw_for_every_kind():
    augment = Augment(Spec.image(1, 16, 16), ("colour", "cutout"), adaptive=True)
    x = torch.full((2000, 1, 16, 16), 0.75)
    assert torch.equal(augment(x), x), "p begins at 0"
    augment.p.fill_(0.3)
    y = augment(x).flatten(1)
    cut = (y == 0.5).any(1)
    tinted = ((y != 0.75) & (y != 0.5)).any(1)
    assert abs(tinted.float().mean() - 0.3) < 0.04
    assert abs(cut.float().mean() - 0.3) < 0.04
    assert abs((tinted & cut).float().mean() - 0.09) < 0.03
    assert torch.equal(augment.eval()(x), x), "nothing is changed in inference"


def test_p_follows_the_sign_of_real_scores():
    """Up by n / 100,000 where more than 80 % are positive, so that E[sign] > 0.6, else down; within [0, 1]."""
    augment = Augment(IMAGE, ("colour",), adaptive=True)
    sure, unsure = torch.ones(50, 1), torch.cat([torch.ones(39, 1), -torch.ones(11, 1)])
    for _ in range(10):
        augment.adapt(sure.requires_grad_() * 2, len(sure))
    assert augment.p.item() == pytest.approx(10 * 50 / 100_000)
    assert not augment.p.requires_grad
    augment.adapt(unsure, len(unsure))
    assert augment.p.item() == pytest.approx(9 * 50 / 100_000)
    for _ in range(20):
        augment.adapt(unsure, len(unsure))
    assert augment.p.item() == 0
    augment.p.fill_(1 - 1e-5)
    augment.adapt(sure, len(sure))
    assert augment.p.item() == 1


def test_without_adaptation_p_is_one_and_stays():
    augment = Augment(IMAGE, ("cutout",))
    augment.adapt(-torch.ones(50, 1), 50)
    assert augment.p.item() == 1 and "p" in augment.state_dict()
    assert (augment(torch.ones(20, 3, 16, 24)) == 0.5).flatten(1).any(1).all(), "cut to middle grey"


def test_the_seed_decides():
    augment, x = Augment(IMAGE), torch.rand(4, 3, 16, 24)
    torch.manual_seed(1)
    first, second = augment(x), augment(x)
    torch.manual_seed(1)
    assert torch.equal(augment(x), first) and not torch.equal(first, second)


@pytest.mark.parametrize("adaptive", [True, False])
def test_it_needs_no_host(adaptive):
    augment = Augment(IMAGE, adaptive=adaptive)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        y = augment(mode.from_tensor(torch.rand(4, 3, 16, 24)))
        augment.adapt(mode.from_tensor(torch.ones(4, 1)), 4)
    assert y.shape == (4, 3, 16, 24)


def test_vectors_and_unknown_kinds_are_refused():
    with pytest.raises(NacreError, match="augmentation needs images, these data are vectors"):
        Augment(Spec((4,)), ("colour",))
    with pytest.raises(NacreError, match="there is no augmentation 'color'; did you mean colour"):
        Augment(IMAGE, ("color",))
