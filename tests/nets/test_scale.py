"""The layers at the border between the data's units and the network's."""

import math

import pytest
import torch

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.losses.likelihoods import bernoulli_nll, gaussian_nll
from nacre.nets.likelihood import Bernoulli, DiscretisedLogistic, FixedGaussian, Gaussian, PixelGaussian
from nacre.nets.mlp import mlp
from nacre.nets.scale import FromData, ToData

TABLE = Spec((3,), center=(10.0, -2.0, 0.0), scale=(5.0, 0.1, 1.0))
IMAGE = Spec.image(2, 3, 4)


def test_vectors_come_back_in_their_own_units():
    x = torch.tensor(TABLE.center) + torch.tensor(TABLE.scale) * torch.randn(6, 3)
    assert torch.allclose(ToData(TABLE)(FromData(TABLE)(x)), x, atol=1e-5)


def test_each_column_of_a_vector_is_standardised_by_its_own_units():
    x = torch.tensor(TABLE.center) + torch.tensor(TABLE.scale) * torch.randn(50_000, 3)
    u = FromData(TABLE)(x)
    assert torch.allclose(u.mean(0), torch.zeros(3), atol=0.02) and torch.allclose(u.std(0), torch.ones(3), atol=0.02)


def test_images_reach_the_network_in_minus_one_to_one():
    x = torch.tensor([0.0, 0.5, 1.0])[:, None, None, None].expand(3, 2, 3, 4)
    assert torch.equal(FromData(IMAGE)(x)[:, 0, 0, 0], torch.tensor([-1.0, 0.0, 1.0]))


def test_images_leave_the_network_in_zero_to_one():
    y = ToData(IMAGE)(torch.tensor([-1e4, 0.0, 1e4])[:, None].expand(3, 24))
    assert y.shape == (3, 2, 3, 4)
    assert torch.equal(y[:, 0, 0, 0], torch.tensor([0.0, 0.5, 1.0]))


def test_the_way_out_undoes_the_way_in_up_to_tanh():
    x = 0.01 + 0.98 * torch.rand(5, 2, 3, 4)
    assert torch.allclose(ToData(IMAGE)(torch.atanh(FromData(IMAGE)(x))), x, atol=1e-5)


def test_units_are_configuration_and_not_weights():
    assert not FromData(TABLE).state_dict() and not ToData(TABLE).state_dict()


def test_bernoulli_likelihood():
    likelihood, h, x = Bernoulli(IMAGE), torch.randn(4, 24), torch.rand(4, 2, 3, 4)
    assert torch.equal(likelihood.nll(h, x), bernoulli_nll(h.view(4, 2, 3, 4), x))
    assert torch.equal(likelihood.mean(h), torch.sigmoid(h).view(4, 2, 3, 4))
    with pytest.raises(NacreError, match="gaussian"):
        Bernoulli(TABLE)


def test_gaussian_likelihood_measures_in_the_datas_units():
    likelihood, h = Gaussian(TABLE), torch.randn(4, 3)
    x = torch.tensor(TABLE.center) + torch.tensor(TABLE.scale) * torch.randn(4, 3)
    mean = h * torch.tensor(TABLE.scale) + torch.tensor(TABLE.center)
    assert torch.allclose(likelihood.mean(h), mean)
    variance = torch.tensor(TABLE.scale).square()  # at first the mean log-variance, and each column's distance from it
    assert torch.allclose(likelihood.nll(h, x), gaussian_nll(mean, variance.log(), x), rtol=1e-5)
    assert likelihood.logvar.shape == () and likelihood.logvar.requires_grad


@pytest.mark.parametrize("kind", [Gaussian, FixedGaussian, PixelGaussian])
def test_other_units_of_a_column_change_a_normal_density_by_their_jacobian_alone(kind):
    """So that no column is neglected for the unit it is measured in."""
    h, u = torch.randn(4, 2 * kind.outputs), torch.randn(4, 2)
    metres, inches = Spec((2,), scale=(1.0, 1.0)), Spec((2,), scale=(1.0, 39.37))
    wanted = kind(metres).nll(h, u) + math.log(39.37)
    assert torch.allclose(kind(inches).nll(h, u * torch.tensor(inches.scale)), wanted, atol=1e-4)


def test_grey_levels_are_those_of_images():
    with pytest.raises(NacreError, match="grey levels of images; use gaussian"):
        DiscretisedLogistic(Spec((3,), bounded=True))


def test_gaussian_likelihood_begins_at_the_datas_own_variance():
    spec = Spec((4,), scale=(3.0,))
    assert Gaussian(spec).logvar.exp().item() == pytest.approx(9.0)


@pytest.mark.parametrize("act", ["relu", "tanh", "identity"])
def test_a_dense_network_alternates_linear_maps_and_activations(act):
    net, x = mlp([3, 5, 4, 2], act), torch.randn(6, 3)
    f = {"relu": torch.relu, "tanh": torch.tanh, "identity": lambda v: v}[act]
    h = f(net[2](f(net[0](x))))
    assert torch.allclose(net(x), h @ net[4].weight.T + net[4].bias) and len(net) == 5
    assert mlp([3, 5, 2], act, bias_last=False)[-1].bias is None
