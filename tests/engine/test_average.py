"""The moving average of the weights against its recursion by hand."""

import pytest
import torch
from torch import nn

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.engine.average import Average
from nacre.engine.callbacks import Callback
from nacre.engine.loop import Trainer
from nacre.engine.training import Training
from nacre.game import Phase, Turn
from nacre.model import Model

SPEC = Spec((2,))
DATA = Data(torch.randn(16, 2, generator=torch.Generator().manual_seed(0)), spec=SPEC)


class Net(Model):
    """A net with a norm, trained in one phase or in two."""

    def __init__(self, spec: Spec, keep: bool | None = None) -> None:
        super().__init__(spec)
        self.net, self.keep = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), keep

    def turns(self):
        return [Turn(self.net, self.loss)]

    def phases(self):
        if self.keep is None:
            return super().phases()
        return [Phase("one", self.turns), Phase("two", self.turns, keep_optimizers=self.keep)]

    def loss(self, batch):
        return (self.net(batch.x) - 2).square().mean()


class Weights(Callback):
    """The raw weights before and after every step."""

    every = 1

    def start(self, trainer):
        self.seen = [[p.detach().clone() for p in trainer.model.parameters()]]

    def step(self, trainer):
        self.seen.append([p.detach().clone() for p in trainer.model.parameters()])


def by_hand(weights: list[list[torch.Tensor]], decay: float) -> list[torch.Tensor]:
    average = [w.double() for w in weights[0]]
    for t, now in enumerate(weights[1:]):
        d = min(decay, (1 + t) / (10 + t))
        average = [d * a + (1 - d) * p.double() for a, p in zip(average, now, strict=True)]
    return average


def run(model: Net, **options) -> tuple[Trainer, Weights]:
    weights = Weights()
    training = Training(**{"batch_size": 8, "steps": 40, "lr": 0.05, "device": "cpu", "progress": False, **options})
    trainer = Trainer(model, {"data": DATA}, training)
    trainer.run(callbacks=[weights])
    return trainer, weights


def close(model: nn.Module, expected: list[torch.Tensor]) -> bool:
    pairs = zip(model.parameters(), expected, strict=True)
    return all(torch.allclose(p.double(), e.double(), atol=1e-5) for p, e in pairs)


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_training_leaves_the_ramped_average_in_the_model(decay):
    """The ramp (1 + t) / (10 + t) reaches 0.5 at t = 8 and never 0.99 in 40 steps."""
    model = Net(SPEC)
    _, weights = run(model, ema=decay)
    assert close(model, by_hand(weights.seen, decay))
    assert not close(model, weights.seen[-1])


def test_without_a_decay_the_last_weights_stay():
    model = Net(SPEC)
    trainer, weights = run(model, ema=0.0)
    assert trainer.average.parameters == []
    assert all(torch.equal(p, w) for p, w in zip(model.parameters(), weights.seen[-1], strict=True))


def test_buffers_are_used_as_they_are():
    model = Net(SPEC)
    average = Average(model, 0.9)
    with torch.no_grad():
        model.net[1].running_mean.fill_(7)
    average.update()
    with average.applied():
        assert (model.net[1].running_mean == 7).all()
    assert len(average.values) == len(list(model.parameters()))


def test_the_average_is_in_the_model_only_inside():
    model = Net(SPEC)
    average = Average(model, 0.9)
    start = [p.detach().clone() for p in model.parameters()]
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1)
    raw = [p.detach().clone() for p in model.parameters()]
    average.update()
    with pytest.raises(RuntimeError, match="inside"), average.applied():
        for p, s in zip(model.parameters(), start, strict=True):
            assert torch.allclose(p, s + 0.9, atol=1e-6)  # the first decay is 1 / 10
        raise RuntimeError("inside")
    assert all(torch.equal(p, r) for p, r in zip(model.parameters(), raw, strict=True))


def test_swapping_keeps_the_parameters_themselves():
    """The optimizer's parameters are the model's, before and after."""
    model = Net(SPEC)
    average, before = Average(model, 0.9), list(model.parameters())
    average.swap()
    assert all(a is b for a, b in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("keep", [False, True])
def test_a_phase_begins_a_new_average_unless_it_keeps_the_optimizers(keep):
    model = Net(SPEC, keep=keep)
    _, weights = run(model, ema=0.95)
    expected = by_hand(weights.seen if keep else weights.seen[20:], 0.95)
    assert close(model, expected)
