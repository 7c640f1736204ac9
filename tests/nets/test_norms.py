"""Spectral norms against the singular values, their state, and batch statistics against a plain mean."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from nacre.nets.norms import spectral, standing_statistics
from nacre.nets.resnet import res_encoder


def matrix(layer):
    """The weight as it is used, one row per output."""
    weight = layer.weight.detach()
    return (weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight).flatten(1)


@pytest.mark.parametrize(
    "layer", [nn.Linear(5, 3), nn.Conv2d(2, 4, 3), nn.ConvTranspose2d(2, 4, 3), nn.Embedding(4, 3)]
)
def test_the_largest_singular_value_becomes_one(layer):
    before = matrix(layer)
    spectral(layer)
    for _ in range(200):
        found = matrix(layer)
    assert torch.linalg.matrix_norm(found, 2).item() == pytest.approx(1, abs=1e-4)
    assert torch.allclose(found, before / torch.linalg.matrix_norm(before, 2), atol=1e-4)


def test_one_iteration_per_pass_in_training_and_none_in_inference():
    layer = nn.Linear(6, 4)
    spectral(layer)
    state = layer.parametrizations.weight[0]
    raw, v = layer.parametrizations.weight.original.detach(), state._v.clone()
    layer(torch.zeros(1, 6))
    u = nn.functional.normalize(raw @ v, dim=0)
    assert torch.allclose(state._u, u, atol=1e-6)
    assert torch.allclose(state._v, nn.functional.normalize(raw.T @ u, dim=0), atol=1e-6)
    layer.eval()
    kept = {k: t.clone() for k, t in layer.state_dict().items()}
    outputs = [layer(torch.ones(1, 6)) for _ in range(3)]
    assert torch.equal(outputs[0], outputs[2])
    assert all(torch.equal(t, kept[k]) for k, t in layer.state_dict().items())


def train(net, x, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_iteration_survives_saving_so_that_a_resumed_run_is_the_same(layout):
    def fresh():
        net = res_encoder((3, 8, 8), 4)
        spectral(net)
        return net.to(memory_format=layout)

    x = torch.randn(4, 3, 8, 8)
    whole, resumed = fresh(), fresh()
    optimizer = torch.optim.SGD(whole.parameters(), 0.1)
    train(whole, x, optimizer, 2)
    state = deepcopy(whole.state_dict())
    assert sum(name.endswith(("._u", "._v")) for name in state) == 2 * 6
    train(whole, x, optimizer, 2)
    resumed.load_state_dict(state)
    train(resumed, x, torch.optim.SGD(resumed.parameters(), 0.1), 2)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_normalised_trunk_gives_bf16_and_second_derivatives():
    net = res_encoder((3, 8, 8), 4)
    spectral(net)
    x = torch.randn(4, 3, 8, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        low = net(x)
    assert torch.allclose(low.float(), net(x), rtol=0.1, atol=0.1)
    assert {b.dtype for b in net.buffers()} == {torch.float32}
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


def test_the_gradient_knows_of_the_norm():
    """W / sigma does not change when W grows: the gradient is orthogonal to W."""
    layer = nn.Linear(4, 3, bias=False)
    spectral(layer)
    for _ in range(200):
        layer(torch.zeros(1, 4))
    layer(torch.randn(8, 4)).square().sum().backward()
    raw = layer.parametrizations.weight.original
    assert abs((raw.grad * raw).sum()) < 1e-4 * raw.grad.norm() * raw.norm()


def test_standing_statistics_are_the_mean_over_batches():
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5))
    net.eval()
    net[0].running_mean.fill_(9)
    drawn = []

    def draw(n):
        drawn.append(torch.randn(n, 3) * 2 + 1)
        return drawn[-1]

    standing_statistics(net, draw, batches=5, n=10)
    assert len(drawn) == 5
    assert torch.allclose(net[0].running_mean, torch.stack([x.mean(0) for x in drawn]).mean(0), atol=1e-6)
    assert torch.allclose(net[0].running_var, torch.stack([x.var(0) for x in drawn]).mean(0), atol=1e-5)
    assert net[0].momentum == 0.1 and not net[0].training and not net.training


def test_standing_statistics_change_nothing_else_and_take_labels():
    class Labelled(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.norm = nn.Linear(3, 2), nn.BatchNorm1d(2, affine=False)
            spectral(self.layer)

        def forward(self, z, y):
            return self.norm(self.layer(z) + y[:, None])

    net = Labelled()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    standing_statistics(net, lambda n: (torch.randn(n, 3), torch.full((n,), 5)), batches=3, n=50)
    assert net.training and net.norm.training
    changed = {k for k, v in net.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == {"norm.running_mean", "norm.running_var", "norm.num_batches_tracked"}
    assert (net.norm.running_mean - net.layer.bias - 5).abs().max() < 0.5
