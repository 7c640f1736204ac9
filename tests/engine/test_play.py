"""One turn: who moves, by how much, on which data, and what is left alone."""

import pytest
import torch
from torch import nn

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.engine.loop import Trainer
from nacre.engine.play import DivergedError
from nacre.engine.training import Training
from nacre.errors import NacreError
from nacre.game import Batch, PerPlayer, Turn
from nacre.model import Model

SPEC = Spec((2,))
COUNTED = Data(torch.arange(48.0)[:, None].repeat(1, 2), spec=SPEC)
NORMAL = Data(torch.randn(48, 2, generator=torch.Generator().manual_seed(0)), spec=SPEC)
SGD = {"optimizer": "sgd", "lr": 1.0, "ema": 0.0}


class Toy(Model):
    """Two scalars a and b and whatever turns a test gives it."""

    def __init__(self, spec: Spec, make_turns=None) -> None:
        super().__init__(spec)
        self.a, self.b = nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)
        for p in self.parameters():
            nn.init.zeros_(p)
        self.make_turns = make_turns
        self.seen: list[tuple[str, tuple[float, ...]]] = []

    def turns(self):
        return self.make_turns(self)

    def sum_a(self, batch):
        self.seen.append(("a", tuple(batch.x[:, 0].tolist())))
        return self.a.weight.sum()

    def sum_b(self, batch):
        self.seen.append(("b", tuple(batch.x[:, 0].tolist())))
        return self.b.weight.sum()


def trainer_of(model: Model, data=COUNTED, **options) -> Trainer:
    streams = data if isinstance(data, dict) else {"data": data}
    return Trainer(model, streams, Training(**{"batch_size": 8, "device": "cpu", "progress": False, **options}))


def train(model: Model, data=COUNTED, **options) -> Model:
    trainer_of(model, data, **options).run()
    return model


def entered(model: Model, data=NORMAL, **options) -> Trainer:
    """A trainer whose turns can be played one by one."""
    trainer = trainer_of(model, data, **options)
    trainer._enter(0)
    model.train()
    return trainer


def played(play, *batches: Batch) -> list[tuple[str, torch.Tensor]]:
    play.activate()
    report = play(list(batches), 1)
    play.deactivate()
    return report


def test_a_repeated_turn_draws_afresh_and_later_turns_see_its_last_draw():
    model = train(Toy(SPEC, lambda m: [Turn(m.a, m.sum_a, repeat=3), Turn(m.b, m.sum_b)]), steps=2)
    assert "".join(name for name, _ in model.seen) == "aaabaaab"
    draws = [batch for _, batch in model.seen]
    assert draws[3] == draws[2] and draws[7] == draws[6]
    fresh = [value for i in (0, 1, 2, 4, 5, 6) for value in draws[i]]
    assert len(set(fresh)) == len(fresh) == 48


def test_turns_that_follow_each_other_share_a_batch():
    model = train(Toy(SPEC, lambda m: [Turn(m.a, m.sum_a), Turn(m.b, m.sum_b)]), steps=3)
    assert all(a[1] == b[1] for a, b in zip(model.seen[::2], model.seen[1::2], strict=True))


def test_a_later_repeated_turn_begins_with_the_batch_at_hand():
    model = train(Toy(SPEC, lambda m: [Turn(m.a, m.sum_a), Turn(m.b, m.sum_b, repeat=2)]), steps=1)
    draws = [batch for _, batch in model.seen]
    assert draws[0] == draws[1] != draws[2]


def test_a_lazy_turn_is_played_every_kth_step_with_k_times_its_loss():
    model = train(Toy(SPEC, lambda m: [Turn(m.a, m.sum_a, every=3), Turn(m.b, m.sum_b)]), steps=7, **SGD)
    assert "".join(name for name, _ in model.seen) == "abbbabbbab"
    assert torch.equal(model.a.weight, torch.full((1, 2), -9.0))  # steps 0, 3 and 6, three times the gradient
    assert torch.equal(model.b.weight, torch.full((1, 2), -7.0))


def test_a_lazy_turn_logs_its_loss_as_it_is():
    class Lazy(Toy):
        def one(self, batch):
            return self.a.weight.sum() + 1

    trainer = entered(Lazy(SPEC, lambda m: [Turn(m.a, m.one, every=4)]))
    ((name, value),) = played(trainer.plays[0], NORMAL.examples(4))
    assert (name, value.item()) == ("one", 1.0)


def test_another_stream_draws_its_own_batches():
    other = Data(-1 - torch.arange(48.0)[:, None].repeat(1, 2), spec=SPEC)
    model = Toy(SPEC, lambda m: [Turn(m.a, m.sum_a, stream="other"), Turn(m.b, m.sum_b)])
    train(model, {"data": COUNTED, "other": other}, steps=6)
    streams = {name: [v for n, batch in model.seen if n == name for v in batch] for name in "ab"}
    assert sorted(streams["a"]) == sorted(other.x[:, 0].tolist())
    assert sorted(streams["b"]) == sorted(COUNTED.x[:, 0].tolist())
    with pytest.raises(NacreError, match="data named 'other'"):
        train(Toy(SPEC, model.make_turns), steps=1)


class Coder(Model):
    """A VAE-GAN in one number each: one forward pass, a loss for the encoder and another for the decoder."""

    def __init__(self, spec: Spec, every: int = 1) -> None:
        super().__init__(spec)
        self.every = every
        self.encoder, self.decoder, self.judge = nn.Linear(2, 3), nn.Linear(3, 2), nn.Linear(2, 1)

    def turns(self):
        return [Turn((self.encoder, self.decoder), self.both, every=self.every), Turn(self.judge, self.judge_loss)]

    def terms(self, batch):
        z = self.encoder(batch.x)
        x = self.decoder(z.tanh())
        return (x - batch.x).square().mean(), z.square().mean(), self.judge(x).mean()

    def both(self, batch):
        error, prior, fooled = self.terms(batch)
        return PerPlayer(encoder={"error": error, "prior": prior}, decoder=2 * error - fooled)

    def judge_loss(self, batch):
        return self.terms(batch)[2]


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("parts", [1, 3])
def test_each_player_gets_exactly_the_gradient_of_its_own_loss(parts, every):
    model = Coder(SPEC, every)
    trainer = entered(model)
    batch = NORMAL.examples(12)
    error, prior, fooled = model.terms(batch)
    expected = [
        *torch.autograd.grad(error + prior, list(model.encoder.parameters()), retain_graph=True),
        *torch.autograd.grad(2 * error - fooled, list(model.decoder.parameters())),
    ]
    play = trainer.plays[0]
    play.slots = []
    report = played(play, *batch.split(parts))
    for p, gradient in zip([*model.encoder.parameters(), *model.decoder.parameters()], expected, strict=True):
        assert torch.allclose(p.grad, every * gradient, atol=1e-5)
    assert all(p.grad is None for p in model.judge.parameters())
    assert [name for name, _ in report] == ["encoder error", "encoder prior", "decoder"]
    assert torch.allclose(report[2][1], 2 * error - fooled, atol=1e-6)


def test_losses_for_other_players_are_refused():
    class Wrong(Coder):
        def both(self, batch):
            return PerPlayer(encoder=self.terms(batch)[0], judge=self.terms(batch)[2])

    with pytest.raises(TypeError, match=r"PerPlayer\(encoder, judge\) but its players are encoder, decoder"):
        played(entered(Wrong(SPEC)).plays[0], NORMAL.examples(4))


def test_the_terms_of_a_loss_are_summed():
    class Terms(Toy):
        def terms(self, batch):
            return {"first": self.a.weight.sum(), "second": 2 * self.a.weight.sum()}

    model = train(Terms(SPEC, lambda m: [Turn(m.a, m.terms), Turn(m.b, m.sum_b)]), steps=1, **SGD)
    assert torch.equal(model.a.weight, torch.full((1, 2), -3.0))


def test_only_players_move_and_everybody_thaws():
    class Entangled(Toy):
        def entangled(self, batch):
            return (self.a.weight * (self.b.weight + 1)).sum()

    model = Entangled(SPEC, lambda m: [Turn(m.a, m.entangled), Turn(m.b, m.entangled)])
    trainer = entered(model, **SGD)
    first = trainer.plays[0]
    first.activate()
    assert not model.b.weight.requires_grad
    first([NORMAL.examples(4)], 1)
    assert model.b.weight.grad is None and torch.equal(model.a.weight, torch.full((1, 2), -1.0))
    first.deactivate()
    assert model.b.weight.requires_grad


class Normed(Model):
    """A normalised network that one turn moves and another only looks through."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.body, self.head = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), nn.Linear(3, 1)

    def turns(self):
        return [Turn(self.head, self.loss), Turn(self.body, self.loss)]

    def loss(self, batch):
        self.inside = self.body(batch.x)
        return self.head(self.inside).square().mean()


def test_a_frozen_norm_uses_the_batchs_statistics_and_keeps_its_own():
    model = Normed(SPEC)
    trainer = entered(model)
    norm, batch = model.body[1], NORMAL.examples(16)
    with torch.no_grad():
        norm.running_mean.fill_(5)
        norm.running_var.fill_(9)
    before = {k: v.clone() for k, v in model.body.state_dict().items()}
    played(trainer.plays[0], batch)
    assert torch.allclose(model.inside.mean(0), torch.zeros(3), atol=1e-5)
    assert torch.allclose(model.inside.var(0, unbiased=False), torch.ones(3), atol=1e-2)
    assert all(torch.equal(before[k], v) for k, v in model.body.state_dict().items())
    assert norm.track_running_stats

    hidden = model.body[0](batch.x)
    played(trainer.plays[1], batch)
    assert torch.allclose(norm.running_mean, 0.9 * 5 + 0.1 * hidden.mean(0), atol=1e-5)
    assert norm.num_batches_tracked == 1


def test_the_hook_after_a_turn_runs_without_gradients_on_the_moved_weights():
    seen = []

    class Clipped(Toy):
        def clip(self):
            seen.append((torch.is_grad_enabled(), self.a.weight[0, 0].item()))
            self.a.weight.clamp_(-0.5, 0.5)

    model = Clipped(SPEC, lambda m: [Turn(m.a, m.sum_a, repeat=2, after=m.clip), Turn(m.b, m.sum_b)])
    train(model, steps=2, **SGD)
    assert seen == [(False, -1.0), (False, -1.5), (False, -1.5), (False, -1.5)]
    assert torch.equal(model.a.weight, torch.full((1, 2), -0.5))


class Relay(Toy):
    """The first turn leaves a tensor on the batch, the second finds it."""

    def leave(self, batch):
        batch.left = batch.x.square()
        self.seen.append(("left", tuple(batch.left[:, 0].tolist())))
        return self.a.weight.sum()

    def find(self, batch):
        self.seen.append(("found", tuple(batch.left[:, 0].tolist())))
        assert torch.equal(batch.left, batch.x.square())
        return self.b.weight.sum()


@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_what_a_turn_leaves_on_a_micro_batch_the_next_turn_finds_there(accumulate):
    model = train(Relay(SPEC, lambda m: [Turn(m.a, m.leave), Turn(m.b, m.find)]), steps=2, accumulate=accumulate)
    for start in range(0, len(model.seen), 2 * accumulate):
        left, found = model.seen[start : start + accumulate], model.seen[start + accumulate : start + 2 * accumulate]
        assert [v for _, v in left] == [v for _, v in found]
        assert {name for name, _ in left} == {"left"} and {name for name, _ in found} == {"found"}
        assert all(len(v) == 8 // accumulate for _, v in left)
    assert len(model.seen) == 4 * accumulate


def test_a_fresh_draw_carries_nothing_over():
    model = Relay(SPEC, lambda m: [Turn(m.a, m.leave), Turn(m.b, m.find, repeat=2)])
    with pytest.raises(AttributeError, match="no 'left'"):
        train(model, steps=1)


def test_parts_of_unequal_length_weigh_by_their_examples():
    class Mean(Toy):
        def mean(self, batch):
            return self.a(batch.x).square().mean() + self.a(batch.x).mean()

    model = Mean(SPEC, lambda m: [Turn(m.a, m.mean)])
    nn.init.ones_(model.a.weight)
    trainer, batch = entered(model), NORMAL.examples(11)
    trainer.plays[0].slots = []
    ((_, whole),) = played(trainer.plays[0], batch)
    expected = model.a.weight.grad.clone()
    parts = batch.split(3)
    assert sorted(len(part) for part in parts) == [3, 4, 4]
    ((_, value),) = played(trainer.plays[0], *parts)
    assert torch.allclose(model.a.weight.grad, expected) and torch.allclose(value, whole)


def test_gradients_are_clipped_for_each_player_alone():
    class Steep(Toy):
        def steep(self, batch):
            a, b = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.3, 0.4]])
            return (self.a.weight * a).sum() + (self.b.weight * b).sum()

    model = Steep(SPEC, lambda m: [Turn((m.a, m.b), m.steep)])
    train(model, steps=1, clip=1.0, **SGD)
    assert torch.allclose(model.a.weight, torch.tensor([[-0.6, -0.8]]), atol=1e-4)
    assert torch.allclose(model.b.weight, torch.tensor([[-0.3, -0.4]]))


@pytest.mark.parametrize(("capability", "dtype"), [("AVX512", torch.bfloat16), ("AVX2", torch.float32)])
def test_bf16_is_float32_where_a_cpu_only_imitates_it(monkeypatch, capability, dtype):
    class Asked(Toy):
        def product(self, batch):
            y = self.a(batch.x)
            self.dtype = y.dtype
            return y.float().mean()

    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    model = Asked(SPEC, lambda m: [Turn(m.a, m.product)])
    train(model, steps=1, precision="bf16")
    assert model.dtype == dtype


class Diverging(Toy):
    def terms(self, batch):
        self.count = getattr(self, "count", 0) + 1
        return {"fine": self.a.weight.sum(), "wild": self.a.weight.sum() / (0 if self.count == 3 else 1)}

    def log(self, batch):
        return (self.a.weight.sum() - 1).log()


def test_a_diverged_term_is_named_with_its_turn_and_step():
    model = Diverging(SPEC, lambda m: [Turn(m.a, m.terms), Turn(m.b, m.sum_b)])
    nn.init.ones_(model.a.weight)
    with pytest.raises(DivergedError, match=r"term 'wild' of turn 'terms' is inf at step 3"):
        train(model, steps=5, optimizer="sgd", lr=1e-3, ema=0)
    assert torch.allclose(model.a.weight, torch.full((1, 2), 1 - 2 * 2e-3)), "the third step was not taken"


def test_a_diverged_loss_without_terms_is_named_by_its_turn():
    with pytest.raises(DivergedError, match=r"the loss of turn 'log' is nan at step 1"):
        train(Diverging(SPEC, lambda m: [Turn(m.a, m.log)]), steps=1)
