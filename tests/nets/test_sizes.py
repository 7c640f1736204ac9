"""The size rules against torch's own layers, for every size up to 40."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from nacre.errors import NacreError
from nacre.nets.sizes import conv_size, plan, transposed_size


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (4, 2, 1), (3, 2, 1), (5, 3, 2), (2, 2, 0)])
def test_the_rules_are_torchs(kernel, stride, padding):
    forwards = nn.Conv1d(1, 1, kernel, stride, padding)
    backwards = nn.ConvTranspose1d(1, 1, kernel, stride, padding)
    for n in range(5, 41):
        x = torch.zeros(1, 1, n)
        assert forwards(x).shape[2] == conv_size(n, kernel, stride, padding)
        assert backwards(x).shape[2] == transposed_size(n, kernel, stride, padding)


def test_a_plan_halves_any_image_and_gives_its_size_back():
    for height, width in [(28, 28), (8, 8), (2, 2), (33, 20), (5, 41), (64, 7), (3, 100)]:
        layers = plan(height, width)
        assert layers[0].before == (height, width)
        for layer in layers:
            for axis in (0, 1):
                settings = layer.kernel[axis], layer.stride, layer.padding
                assert conv_size(layer.before[axis], *settings) == layer.after[axis]
                assert transposed_size(layer.after[axis], *settings) == layer.before[axis]
        for layer, following in pairwise(layers):
            assert layer.after == following.before
        assert 5 <= min(layers[-1].after) < 9 or len(layers) == 1


def test_a_plan_explains_itself():
    assert [str(layer) for layer in plan(28, 28)] == [
        "28 -> floor((28 + 2·1 - 4) / 2) + 1 = 14;  back 2·(14 - 1) - 2·1 + 4 = 28",
        "14 -> floor((14 + 2·1 - 4) / 2) + 1 = 7;  back 2·(7 - 1) - 2·1 + 4 = 14",
    ]
    assert str(plan(7, 7)[0]) == "7 -> floor((7 + 2·1 - 3) / 2) + 1 = 4;  back 2·(4 - 1) - 2·1 + 3 = 7"
    assert str(plan(6, 9)[0]) == "6 x 9 -> 3 x 5 with kernel 4 x 3, stride 2, padding 1, and back"
    with pytest.raises(NacreError, match="cannot be halved"):
        plan(1, 28)
