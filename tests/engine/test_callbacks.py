"""What a run writes beside its weights, and where else its numbers go."""

import json
import sys
import types

import pytest
from games import OPTIONS, digits, make
from PIL import Image

import nacre
from nacre.cli.main import main


class Recorder(types.ModuleType):
    """Stands in for a tracker's package and remembers what it was told."""

    def __init__(self, name):
        super().__init__(name)
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            return self

        return call


@pytest.mark.parametrize(
    ("kind", "package", "one_number", "closing"),
    [
        ("tensorboard", "torch.utils.tensorboard", "add_scalar", "close"),
        ("wandb", "wandb", "log", "finish"),
        ("mlflow", "mlflow", "log_metrics", "end_run"),
    ],
)
def test_trackers_get_every_record(kind, package, one_number, closing, tmp_path, monkeypatch):
    recorder = Recorder(package)
    monkeypatch.setitem(sys.modules, package, recorder)
    make("vae").fit(digits(), out=tmp_path / "run", track=(kind,), log_every=2, checkpoint_every=6, **OPTIONS)
    names = [name for name, _, _ in recorder.calls]
    assert names.count(one_number) == (6 if kind == "tensorboard" else 3)
    assert names[-1] == closing
    if kind == "wandb":
        _, (values,), options = next(call for call in recorder.calls if call[0] == "log")
        assert values.keys() == {"reconstruction", "kl"} and options == {"step": 2}


def test_a_tracker_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(nacre.NacreError, match="pip install wandb"):
        make("vae").fit(digits(), out=tmp_path / "run", track=("wandb",), **OPTIONS)
    assert not (tmp_path / "run").exists()


def test_a_run_folder_holds_what_the_design_says(tmp_path):
    out = tmp_path / "run"
    make("vae").fit(digits(), out=out, sample_every=3, eval_every=3, log_every=2, checkpoint_every=3, **OPTIONS)
    assert {path.name for path in out.iterdir()} >= {"run.json", "log.jsonl", "samples", "checkpoints", "model"}
    config = json.loads((out / "run.json").read_text())
    assert config["model"] == "vae" and config["hparams"]["latent"] == 4 and config["training"]["steps"] == 6
    assert config["data"]["data"]["name"] == "digits" and set(config["versions"]) == {"nacre", "torch", "python"}
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    losses = [record for record in records if "losses" in record]
    assert [record["step"] for record in losses] == [2, 3, 4, 6]  # a checkpoint closes a line, too
    assert [record["step"] for record in records if "metrics" in record] == [3, 6]
    assert losses[-1].keys() >= {"phase", "samples", "seconds", "samples_per_second"} and losses[-1]["samples"] == 96
    pictures = sorted(path.name for path in (out / "samples").iterdir())
    assert pictures == ["real.png", "step_000003.png", "step_000006.png"]
    with Image.open(out / "samples" / "real.png") as real, Image.open(out / "samples" / "step_000003.png") as drawn:
        assert real.size == drawn.size
    card = (out / "MODEL_CARD.md").read_text()
    assert "nacre train vae digits" in card and "nacre.load" in card


def test_watching_a_run_does_not_change_it(tmp_path):
    """Grids, logs and evaluations draw from seeds of their own."""
    plain = make("wgan-gp").fit(digits(), **OPTIONS).state_dict()
    watched = make("wgan-gp").fit(digits(), out=tmp_path / "run", sample_every=1, eval_every=2, **OPTIONS).state_dict()
    assert all(bool((plain[key] == watched[key]).all()) for key in plain)


def test_lines_are_printed_without_a_terminal(tmp_path, capsys, monkeypatch):
    import time

    clock = iter(range(0, 10_000_000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    assert main(["train", "vae", "digits", "--steps", "4", "--log-every", "2", "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().err
    assert "vae on digits  step 4/4  reconstruction" in said and "/s" in said


def test_dry_run_prints_and_writes_nothing(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "vae", "digits", "--latent", "3", "--dry-run", "--out", str(out)]) == 0
    resolved = json.loads(capsys.readouterr().out)
    assert resolved["latent"] == 3 and resolved["schedule"] == "cosine" and not out.exists()
