"""The minibatch deviation in closed form, and packs."""

import pytest
import torch

from nacre.errors import NacreError
from nacre.nets.minibatch import MinibatchStd, pack


@pytest.mark.parametrize(("n", "size"), [(8, 4), (6, 3), (7, 1), (3, 3), (1, 1)])
@pytest.mark.parametrize("shape", [(5,), (2, 3, 4)])
def test_it_is_the_mean_deviation_within_the_largest_group_that_fits(n, size, shape):
    x = torch.randn(n, *shape)
    found = MinibatchStd(4)(x)
    assert found.shape == (n, shape[0] + 1, *shape[1:])
    assert torch.equal(found[:, :-1], x)
    m = n // size
    for i in range(n):
        group = x[i % m :: m]
        assert len(group) == size
        expected = (group.var(0, unbiased=False) + 1e-8).sqrt().mean()
        assert torch.allclose(found[i, -1], expected)


def test_equal_examples_deviate_by_nothing_and_have_a_finite_gradient():
    x = torch.ones(4, 3).requires_grad_()
    found = MinibatchStd()(x)
    found.sum().backward()
    assert found[:, -1].max() <= 1.001e-4
    assert x.grad.isfinite().all()


def test_groups_do_not_see_each_other():
    x = torch.randn(8, 3, requires_grad=True)
    MinibatchStd(4)(x)[0, -1].backward()
    assert x.grad.abs().sum(1).bool().tolist() == [True, False] * 4


@pytest.mark.parametrize("shape", [(2,), (2, 3, 4)])
def test_a_pack_holds_consecutive_examples_side_by_side(shape):
    x = torch.randn(7, *shape)
    packed = pack(x, 3)
    assert packed.shape == (2, 6, *shape[1:])
    assert torch.equal(packed[1], torch.cat([x[3], x[4], x[5]]))
    assert torch.equal(pack(x, 1), x)


def test_a_batch_smaller_than_a_pack_is_refused():
    with pytest.raises(NacreError, match="takes 4 examples and the batch has 3; use a larger --batch-size"):
        pack(torch.zeros(3, 2), 4)
