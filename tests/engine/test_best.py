"""The best weights by a metric are kept, and training stops when no better ones come."""

import json
from typing import Any

import pytest
import torch
from games import OPTIONS, StopAt, digits, make

from nacre.engine.best import Best
from nacre.engine.callbacks import Callback
from nacre.engine.checkpoint import Checkpoints
from nacre.engine.loop import Trainer
from nacre.engine.run import RunFolder
from nacre.engine.signals import InterruptedTraining
from nacre.engine.training import Training
from nacre.errors import NacreError
from nacre.metrics.result import Report, Result

WATCHED = {**OPTIONS, "steps": 10, "eval_every": 2, "best": "elbo", "checkpoint_every": 3, "log_every": 1}


@pytest.fixture
def scripted(monkeypatch):
    """Evaluations whose values are written beforehand, by step; what they measure is not the point here."""

    def script(values, better: Any = "higher", name="elbo"):
        def evaluate(model, data, metrics=None, **options):
            torch.rand(3)  # an evaluation may draw
            step = round(float(model.progress) * WATCHED["steps"])
            return Report([Result(name, values.get(step, 0.0), better=better)])

        monkeypatch.setattr("nacre.metrics.evaluate", evaluate)

    return script


class Averages(Callback):
    """The averaged weights after every step."""

    every = 1

    def __init__(self):
        self.at = {}

    def step(self, trainer):
        with trainer.average.applied():
            self.at[trainer.step] = {name: value.clone() for name, value in trainer.model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def records(folder):
    return [r for r in map(json.loads, (folder / "log.jsonl").read_text().splitlines()) if "metrics" in r]


# The steps of evaluations are 2, 4, ...; the progress that the script sees is that of the step before.
VALUES = {1: -9.0, 3: -5.0, 5: -7.0, 7: float("nan"), 9: -6.0}


@pytest.mark.parametrize("has_folder", [True, False])
def test_the_model_ends_with_the_best_averaged_weights(scripted, has_folder, tmp_path, capsys):
    scripted(VALUES)
    averages = Averages()
    out = tmp_path / "run" if has_folder else None
    model = make("vae").fit(digits(), out=out, callbacks=[averages], **WATCHED)
    assert same(model.state_dict(), averages.at[4])
    assert not same(model.state_dict(), averages.at[10])
    assert "the model is that of step 4, the best by elbo (-5)" in capsys.readouterr().err
    if out:
        assert same(RunFolder(out).load().state_dict(), averages.at[4])
        assert RunFolder(out).config["best"] == {"metric": "elbo", "step": 4, "value": -5.0}
        assert "step 4, the best by elbo" in (out / "MODEL_CARD.md").read_text()
        assert [r["best"]["waited"] for r in records(out)] == [0, 0, 1, 2, 3]
        assert Checkpoints(out).steps() == [9, 10]
        assert Checkpoints(out).load(10)["step"] == 10


def test_lower_can_be_better(scripted):
    scripted(VALUES, better="lower")
    averages = Averages()
    model = make("vae").fit(digits(), callbacks=[averages], **WATCHED)
    assert same(model.state_dict(), averages.at[2])


@pytest.mark.parametrize("at", [3, 5, 8])
def test_an_interrupted_run_ends_like_a_whole_one(scripted, at, tmp_path):
    scripted(VALUES)
    options = {**WATCHED, "patience": 2}
    whole = make("vae").fit(digits(), out=tmp_path / "whole", **options)
    with pytest.raises(InterruptedTraining):
        make("vae").fit(digits(), out=tmp_path / "run", callbacks=[StopAt(at)], **options)
    resumed = make("vae").fit(digits(), out=tmp_path / "run", resume=True, **options)
    assert same(whole.state_dict(), resumed.state_dict())
    assert records(tmp_path / "whole") == records(tmp_path / "run")
    assert [r["step"] for r in records(tmp_path / "run")] == [2, 4, 6, 8]
    for name in ("whole", "run"):
        assert RunFolder(tmp_path / name).config["best"]["step"] == 4


def test_a_kill_after_a_best_value_and_before_the_next_checkpoint_changes_nothing(scripted, tmp_path):
    class KilledError(Exception):
        pass

    class Kill(Callback):
        every = 4

        def step(self, trainer):
            raise KilledError

    scripted(VALUES)
    whole = make("vae").fit(digits(), out=tmp_path / "whole", **WATCHED)
    with pytest.raises(KilledError):
        make("vae").fit(digits(), out=tmp_path / "run", callbacks=[Kill()], **WATCHED)
    best = Checkpoints(tmp_path / "run").load_best()
    assert best is not None
    assert best["step"] == 4
    assert Checkpoints(tmp_path / "run").steps() == [3]
    (tmp_path / "run" / "checkpoints" / "best.pt").write_bytes(b"torn")
    resumed = make("vae").fit(digits(), out=tmp_path / "run", resume=True, **WATCHED)
    assert same(whole.state_dict(), resumed.state_dict())
    assert records(tmp_path / "whole") == records(tmp_path / "run")


def test_early_stopping_ends_the_run_in_peace(scripted, tmp_path, capsys):
    scripted(VALUES)
    out = tmp_path / "run"
    averages = Averages()
    model = make("vae").fit(digits(), out=out, callbacks=[averages], **WATCHED, patience=2)
    said = capsys.readouterr().err
    assert "stopped early at step 8: elbo was no better for 2 evaluations." in said
    assert same(model.state_dict(), averages.at[4])
    assert Checkpoints(out).steps()[-1] == 8
    again = make("vae").fit(digits(), out=out, resume=True, **WATCHED, patience=2)
    assert "stopped early at step 8" in capsys.readouterr().err
    assert same(again.state_dict(), model.state_dict())
    assert Checkpoints(out).steps()[-1] == 8
    more = make("vae").fit(digits(), out=out, resume=True, **WATCHED, patience=3)
    assert Checkpoints(out).steps()[-1] == 10
    unbroken = make("vae").fit(digits(), out=tmp_path / "unbroken", **WATCHED, patience=3)
    assert same(more.state_dict(), unbroken.state_dict())
    last = [Checkpoints(tmp_path / name).load(10)["model"] for name in ("run", "unbroken")]
    assert same(*last)


def test_a_damaged_best_checkpoint_leaves_the_last_weights_and_says_so(scripted, tmp_path, capsys):
    scripted(VALUES)

    class Damage(Callback):
        every = 10

        def step(self, trainer):
            (tmp_path / "run" / "checkpoints" / "best.pt").write_bytes(b"")

    averages = Averages()
    model = make("vae").fit(digits(), out=tmp_path / "run", callbacks=[averages, Damage()], **WATCHED)
    assert "best.pt is missing or damaged; the model is that of step 10" in capsys.readouterr().err
    assert same(model.state_dict(), averages.at[10])
    assert "best" not in RunFolder(tmp_path / "run").config


@pytest.mark.parametrize("name", ["vae", "rbm", "wgan-gp"])
def test_evaluating_leaves_training_as_it_was(name, tmp_path, monkeypatch):
    """The same weights and the same random state with and without evaluations, by the metrics themselves."""
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path))
    ends = []
    for options in ({}, {"eval_every": 2}, {"eval_every": 2, "best": "frechet"}):
        trainer = Trainer(make(name), {"data": digits()}, Training(**{**OPTIONS, **options, "steps": 4}))
        torch.manual_seed(5)
        trainer.run()
        if trainer.best:
            state = trainer.best.state(trainer)
            assert state is not None and trainer.best.step in (2, 4)
        else:
            ends.append((trainer.model.state_dict(), torch.get_rng_state()))
    assert same(ends[0][0], ends[1][0])
    assert torch.equal(ends[0][1], ends[1][1])


def test_a_validation_split_is_preferred(monkeypatch, tmp_path):
    rows = "\n".join(",".join(str(v) for v in row) for row in torch.rand(40, 3).tolist())
    for split in ("train", "validation", "test"):
        (tmp_path / f"{split}.csv").write_text(f"a,b,c\n{rows}\n")
    seen = []

    def evaluate(model, data, metrics=None, **options):
        seen.append(data.split)
        return Report([Result("elbo", 1.0, better="higher")])

    monkeypatch.setattr("nacre.metrics.evaluate", evaluate)
    import nacre

    data = nacre.load_data(tmp_path)
    nacre.train("vae", data, hidden=(8,), latent=2, **{**OPTIONS, "steps": 2, "eval_every": 2})
    assert seen == ["validation"]


def test_what_cannot_decide_is_refused_before_anything_is_written(tmp_path, scripted):
    with pytest.raises(NacreError, match="nothing is evaluated during training; add --eval-every"):
        Training(best="frechet")
    with pytest.raises(NacreError, match="no metric is watched"):
        Training(patience=3, eval_every=10)
    with pytest.raises(NacreError, match="wgan-gp cannot be judged by elbo"):
        make("wgan-gp").fit(digits(), out=tmp_path / "run", **WATCHED)
    with pytest.raises(NacreError, match="no metric 'fréchet'"):
        make("vae").fit(digits(), out=tmp_path / "run", **{**WATCHED, "best": "fréchet"})
    scripted({}, better="", name="memorised")
    with pytest.raises(NacreError, match="memorised has no better direction"):
        make("vae").fit(digits(), out=tmp_path / "run", **{**WATCHED, "best": "memorised"})
    assert not (tmp_path / "run").exists()


def test_the_log_carries_the_count_over():
    best = Best("frechet")
    best.resume([{"step": 1}, {"step": 2, "best": {"metric": "frechet", "step": 0, "value": None, "waited": 1}}])
    assert (best.step, best.waited) == (0, 1)
    best.resume([{"step": 4, "best": {"metric": "frechet", "step": 3, "value": 2.5, "waited": 1}}])
    assert (best.step, best.value, best.waited) == (3, 2.5, 1)
