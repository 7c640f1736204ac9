"""What every registered model must do; a new model is tested by existing."""

import inspect
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from games import MODELS, OPTIONS, SMALL, SameForEveryRow, StopAt, digits, known_failure, make
from torch._dynamo.testing import CompileCounter
from torch._subclasses.fake_tensor import FakeTensorMode

import nacre
from nacre.cli.main import main
from nacre.engine.loop import Trainer
from nacre.engine.play import named
from nacre.engine.signals import InterruptedTraining
from nacre.engine.training import Training
from nacre.game import Batch
from nacre.model import Model, build
from nacre.registry import files, find, hyperparameters

every_model = pytest.mark.parametrize("name", MODELS)


def weights(model: Model) -> dict[str, torch.Tensor]:
    return {key: value.detach().clone() for key, value in model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[key], b[key]) for key in a)


def close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], tolerance: float) -> bool:
    return all(torch.allclose(a[key].float(), b[key].float(), atol=tolerance, rtol=tolerance) for key in a)


def trainer_of(name: str, **options) -> Trainer:
    model = make(name)
    trainer = Trainer(model, {"data": digits()}, Training.resolve(model.defaults, {**OPTIONS, **options}))
    model.begin(digits())
    model.train()
    return trainer


@every_model
def test_only_the_players_move(name):
    """In a turn nobody but its players changes, not even the running statistics of a frozen norm."""
    trainer = trainer_of(name, schedule="constant")
    for phase in range(len(trainer.phases)):
        trainer._enter(phase)
        for play in trainer.plays:
            before = weights(trainer.model)
            play.activate()
            play([digits().batch(torch.arange(16))], 1)
            play.deactivate()
            players = tuple(f"{player}." for player in play.players)
            for key, value in trainer.model.named_parameters():
                moved = not torch.equal(before[key], value)
                assert not moved or key.startswith(players), f"{key} moved in turn {play.turn.name}"
            for key, value in trainer.model.named_buffers():
                if "running_" in key and not key.startswith(players):
                    assert torch.equal(before[key], value), f"{key} changed in turn {play.turn.name}"


@every_model
def test_gradients_are_those_of_the_players_own_loss(name):
    """What a turn leaves in .grad is autograd's gradient of its loss by its players, times `every`."""
    trainer = trainer_of(name)
    for phase in range(len(trainer.phases)):
        trainer._enter(phase)
        for play in trainer.plays:
            play.slots = []  # compute, but do not move
            state = weights(trainer.model)
            batch = digits().batch(torch.arange(16))
            with SameForEveryRow():
                losses = play.turn.loss(Batch(batch))
                total = torch.stack([value for _, value in named(losses, play.turn.name)]).sum()
                expected = torch.autograd.grad(total * play.turn.every, play.moving, allow_unused=True)
                trainer.model.load_state_dict(state)  # chains move while a loss is computed
                play.activate()
                play([Batch(batch)], 1)
                play.deactivate()
            for parameter, gradient in zip(play.moving, expected, strict=True):
                if gradient is not None:
                    assert torch.allclose(parameter.grad, gradient, atol=1e-6, rtol=1e-5)
            assert all(parameter.grad is None for parameter in play.resting)
            for parameter in trainer.model.parameters():
                parameter.grad = None


@every_model
def test_every_parameter_moves(name):
    """Over a whole run no parameter is left behind."""
    trainer = trainer_of(name, steps=3 * len(list(make(name).phases())), ema=0)
    before = weights(trainer.model)
    trainer.run()
    still = [key for key, value in trainer.model.named_parameters() if torch.equal(before[key], value)]
    assert set(still) == set((known_failure(name, "parameters") or "").split(": ")[0].split())


@every_model
def test_losses_are_finite_and_free_of_host_syncs(name):
    """Every loss runs on tensors without values: no .item(), no branch on a number; and on real ones it is finite."""
    model = make(name)
    model.begin(digits())
    for phase in model.phases():
        if phase.enter:
            phase.enter()
        for turn in phase.turns():
            batch = digits().batch(torch.arange(16))
            for _, value in named(turn.loss(Batch(batch)), turn.name):
                assert value.shape == () and torch.isfinite(value)
            with FakeTensorMode(allow_non_fake_inputs=True) as mode:
                turn.loss(Batch({key: mode.from_tensor(value) for key, value in batch.items()}))


@every_model
def test_same_seed_same_weights(name):
    a, b, c = (weights(make(name, seed).fit(digits(), seed=seed, **OPTIONS)) for seed in (1, 1, 2))
    assert same(a, b)
    assert not same(a, c)


@every_model
def test_configuration_survives_json(name, tmp_path):
    """Config -> JSON -> load gives a model with identical weights, options and samples."""
    model = make(name).fit(digits(), **OPTIONS)
    model.save_pretrained(tmp_path)
    loaded = Model.from_pretrained(tmp_path)
    assert type(loaded) is type(model) and loaded.hparams == model.hparams and loaded.spec == model.spec
    assert same(weights(model), weights(loaded))
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    if model.can("sample"):
        assert torch.equal(model.sample(5, seed=3), loaded.sample(5, seed=3))
    rebuilt = build(json.loads((tmp_path / "config.json").read_text()))
    assert [p.shape for p in rebuilt.parameters()] == [p.shape for p in model.parameters()]


@every_model
@pytest.mark.parametrize("at", [1, 4])
def test_stop_and_resume_is_bit_exact(name, at, tmp_path):
    options = {**OPTIONS, "steps": 7}
    whole = make(name).fit(digits(), out=tmp_path / "whole", **options)
    with pytest.raises(InterruptedTraining, match=f"step {at}"):
        make(name).fit(digits(), out=tmp_path / "parts", callbacks=[StopAt(at)], **options)
    resumed = make(name, seed=9).fit(digits(), out=tmp_path / "parts", resume=True, **options)
    assert same(weights(whole), weights(resumed))
    steps = [json.loads(line)["step"] for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps)) and steps[-1] == 7


def equal_or_known(name: str, check: str, equal: bool) -> None:
    """The check holds, or the model declares why it cannot and indeed does not."""
    reason = known_failure(name, check)
    assert equal != bool(reason), f"{check}: {reason or 'differs'}"


@every_model
def test_accumulation_equals_the_whole_batch(name):
    options = {**OPTIONS, "optimizer": "sgd", "momentum": 0.0, "lr": 0.01, "ema": 0, "steps": 3}
    with SameForEveryRow():
        whole = weights(make(name).fit(digits(), **options))
        parts = weights(make(name).fit(digits(), accumulate=4, **options))
    equal_or_known(name, "accumulation", close(whole, parts, 1e-6))


PAIR = """
import os, sys, torch
sys.path.insert(0, os.environ["CONTRACT"])
from games import MODELS, OPTIONS, SameForEveryRow, digits, make
from nacre.engine import distributed
distributed.start()
options = {**OPTIONS, "optimizer": "sgd", "momentum": 0.0, "lr": 0.01, "ema": 0, "steps": 3}
torch.set_num_threads(1)
for name in MODELS:
    with SameForEveryRow():
        model = make(name).fit(digits(), **options)
    if distributed.rank() == 0:
        torch.save(model.state_dict(), os.path.join(os.environ["OUT"], name + ".pt"))
distributed.stop()
os._exit(0)  # as nacre.__main__ does under torchrun
"""


@pytest.fixture(scope="session")
def pair(tmp_path_factory) -> Path:
    """Every model trained by two processes with half the batch each."""
    out = tmp_path_factory.mktemp("pair")
    (out / "pair.py").write_text(PAIR)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    environment = {**os.environ, "OUT": str(out), "CONTRACT": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(out / "pair.py")], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.mark.xdist_group("pair")
@every_model
def test_two_processes_equal_one(name, pair):
    options = {**OPTIONS, "optimizer": "sgd", "momentum": 0.0, "lr": 0.01, "ema": 0, "steps": 3}
    with SameForEveryRow():
        one = weights(make(name).fit(digits(), **options))
    two = torch.load(pair / f"{name}.pt", weights_only=True)
    equal_or_known(name, "two processes", close(one, two, 1e-6))


@every_model
def test_samples_have_the_datas_shape_and_range(name):
    model = make(name).fit(digits(), **OPTIONS)
    if not model.can("sample"):
        with pytest.raises(nacre.NacreError, match="cannot sample"):
            model.sample(2)
        return
    state = torch.get_rng_state()
    x = model.sample(5, seed=1)
    assert torch.equal(state, torch.get_rng_state()), "a seeded sample disturbs the caller's random state"
    assert x.shape == (5, *model.spec.shape) and x.dtype == torch.float32
    assert 0 <= x.min() and x.max() <= 1
    assert not x.requires_grad
    assert torch.equal(x, model.sample(5, seed=1)) and not torch.equal(x, model.sample(5, seed=2))
    assert model.sample(0).shape == (0, *model.spec.shape)


@every_model
def test_codes_have_their_shape(name):
    model = make(name).fit(digits(), **OPTIONS)
    x = digits().examples(5).x
    if model.can("encode"):
        z = model.encode(x)
        assert z.shape == (5, model.latent)
        assert torch.equal(z, model.encode(x)), "encode must not draw"
        assert torch.allclose(z, model.encode(x, batch_size=2), atol=1e-6)
    else:
        with pytest.raises(nacre.NacreError, match="cannot encode"):
            model.encode(x)
    if model.can("decode"):
        y = model.decode(torch.zeros(3, model.latent))
        assert y.shape == (3, *model.spec.shape) and 0 <= y.min() and y.max() <= 1
    if model.can("score"):
        assert model.score_samples(x).shape == (5,)
    else:
        with pytest.raises(nacre.NacreError, match="cannot score"):
            model.score_samples(x)


@every_model
def test_it_trains_in_bf16(name, monkeypatch):
    """Losses that run in bf16, wherever this is run, give finite float32 weights that have moved."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    model = make(name)
    before = weights(model)
    model.fit(digits(), **{**OPTIONS, "steps": 2 * len(model.phases()), "precision": "bf16"})
    after = weights(model)
    assert all(value.isfinite().all() and value.dtype == before[key].dtype for key, value in after.items())
    assert not same(before, after)


@every_model
def test_few_graphs_are_compiled(name, monkeypatch):
    """A turn compiles to a bounded number of graphs, however many steps are played."""
    torch._dynamo.reset()
    counter, compile_ = CompileCounter(), torch.compile
    monkeypatch.setattr(torch, "compile", lambda loss: compile_(loss, backend=counter))
    phases = list(make(name).phases())
    turns = sum(turn.compile for phase in phases for turn in phase.turns())
    make(name).fit(digits(), **{**OPTIONS, "compile": True, "steps": 6 * len(phases)})
    assert counter.frame_count <= 2 * turns


@every_model
def test_command_line_round_trip(name, tmp_path, capsys):
    out, flags = tmp_path / "run", []
    for key, value in SMALL.get(name, {}).items():
        flags += [f"--{key.replace('_', '-')}", *(map(str, value) if isinstance(value, tuple) else [str(value)])]
    assert main(["train", name, "digits", *flags, "--steps", "4", "--no-progress", "--out", str(out)]) == 0
    loaded = nacre.load(out)
    for key, value in SMALL.get(name, {}).items():
        assert loaded.hparams[key] == value
    if loaded.can("sample"):
        assert main(["sample", str(out), "-n", "4", "--seed", "1", "--grid", str(tmp_path / "x.png")]) == 0
        assert (tmp_path / "x.png").stat().st_size > 0
    assert main(["train", "--resume", str(out)]) == 0
    assert main(["show", name]) == 0
    capsys.readouterr()


@every_model
def test_names_and_docstring(name):
    """The constructor's keywords are flags of their own, each explained; the page cites its paper."""
    cls = find(name)
    training = {field.name for field in fields(Training)}
    training |= {"out", "resume", "data", "size", "attributes", "label", "limit", "columns", "dry_run"}
    assert not training & set(hyperparameters(cls))
    doc = inspect.getdoc(cls) or ""
    inherited = "\n".join(base.__doc__ or "" for base in cls.__mro__ if issubclass(base, Model) and base is not Model)
    for keyword in hyperparameters(cls):
        assert re.search(rf"^ +{keyword}: ", inherited, re.MULTILINE), f"{keyword} is not explained"
    for section in ("Args", "Shapes", "Departures", "Example", "Reference"):
        assert f"\n{section}:\n" in doc, f"the docstring has no section {section}"
    assert cls.title and cls.paper


@every_model
def test_the_file_holds_no_engine(name):
    """Optimizers, devices and backward passes belong to the engine."""
    code = files()[name].read_text().replace("device=self.device", "")
    for pattern in (r"\boptim\b", r"\.backward\(", r"\.step\(", "zero_grad", r"\.item\(", r"\.cuda\(", "device="):
        assert not re.search(pattern, code), f"{files()[name].name} contains {pattern}"
