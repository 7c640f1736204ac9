import pytest
import torch

import nacre
from nacre.latent import analogy, difference


def test_a_difference_of_means_leads_from_one_mean_to_the_other():
    z = torch.randn(60, 4)
    present, start = torch.arange(60) < 20, torch.arange(60) >= 45
    for absent in (None, start):
        direction = difference(z, present, absent)
        begin = z[~present if absent is None else absent].mean(0)
        assert torch.allclose(direction.move(begin[None], 1)[0], z[:20].mean(0), atol=1e-6)
        assert torch.dot(direction.step, direction.score) == pytest.approx(1, rel=1e-5)


def test_an_analogy_is_a_parallelogram():
    a, b, c = torch.randn(3, 10, 4)
    assert torch.allclose(analogy(a, b, c), a.mean(0) - b.mean(0) + c.mean(0))
    assert torch.equal(analogy(a[0], b[0], b[0] + 1), a[0] - b[0] + (b[0] + 1))


def test_nothing_differs_from_nothing():
    z = torch.ones(6, 2)
    for present, words in ((torch.zeros(6) > 0, "codes with"), (torch.arange(6) < 3, "same mean")):
        with pytest.raises(nacre.NacreError, match=words):
            difference(z, present)
