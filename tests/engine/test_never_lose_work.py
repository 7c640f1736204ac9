"""A run that is killed, interrupted or out of space goes on as if nothing had happened."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from games import OPTIONS, StopAt, digits, make

import nacre
from nacre.cli.main import main
from nacre.engine import checkpoint
from nacre.engine.checkpoint import Checkpoints
from nacre.engine.loop import Trainer
from nacre.engine.play import DivergedError
from nacre.engine.signals import InterruptedTraining
from nacre.errors import NacreError
from nacre.game import Turn
from nacre.model import Model

KILLED = """
import os, random, signal, sys, time
import torch
torch.set_num_threads(1)
from nacre.cli.main import main

name, out, seed, flags = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
def train(folder):
    resume = ["--resume"] if os.path.exists(folder + "/run.json") else []
    return main(["train", name, "digits", *flags, "--no-progress", "--checkpoint-every", "7", "--out", folder, *resume])

def child(folder):
    pid = os.fork()
    if pid == 0:
        os._exit(train(folder))
    return pid

# Once here, so that what the children share is imported and a moment falls into training, not into its preparation.
warm = [*flags, "--steps", "2", "--no-progress", "--out", out + "/warm"]  # the last --steps counts
assert main(["train", name, "digits", *warm]) == 0
start = time.monotonic()
assert os.waitpid(child(out + "/whole"), 0)[1] == 0
whole = time.monotonic() - start
moments, reached = random.Random(seed), set()
for _ in range(10):
    pid = child(out + "/killed")
    time.sleep(moments.uniform(0, 0.4 * whole))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    reached |= set(os.listdir(out + "/killed/checkpoints")) if os.path.exists(out + "/killed/checkpoints") else set()
assert os.waitpid(child(out + "/killed"), 0)[1] == 0
assert len(reached) > 8, f"the kills came too early to test anything: {reached}"
"""

SIZES = {
    "wgan-gp": ["--hidden", "64", "--latent", "8", "--steps", "400"],
    "rbm": ["--hidden", "64", "--chains", "32", "--steps", "3000"],
    "stacked-ae": ["--hidden", "48", "16", "--steps", "2000"],
}


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return nacre.load(run).state_dict()


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", list(SIZES))
def test_ten_kills_change_nothing(name, tmp_path):
    """A run that is killed with SIGKILL at ten random moments ends with the weights of one that was not."""
    (tmp_path / "killed.py").write_text(KILLED)
    command = [sys.executable, str(tmp_path / "killed.py"), name, str(tmp_path), "7", *SIZES[name]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    assert equal(weights_of(tmp_path / "whole"), weights_of(tmp_path / "killed"))
    logs = [(tmp_path / run / "log.jsonl").read_text().splitlines() for run in ("whole", "killed")]
    whole, killed = ([(r["step"], r["losses"]) for r in map(json.loads, log)] for log in logs)
    assert [step for step, _ in killed] == [step for step, _ in whole]
    assert killed[-1] == whole[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_says_how_to_go_on(number, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "nacre", "train", "vae", "digits", "--steps", "1000000", "--out", str(out)]
    process = subprocess.Popen([*command, "--log-every", "5"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not ((out / "log.jsonl").exists() and (out / "log.jsonl").stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"go on with: nacre train --resume {out}" in said and "Traceback" not in said
    assert Checkpoints(out).steps()


def interrupted(out: Path, at: int = 4, **options) -> None:
    with pytest.raises(InterruptedTraining):
        make("vae").fit(digits(), out=out, callbacks=[StopAt(at)], **{**OPTIONS, "steps": 8, **options})


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty"])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_it_used(damage, tmp_path, capsys):
    whole = make("vae").fit(digits(), out=tmp_path / "whole", **{**OPTIONS, "steps": 8}).state_dict()
    interrupted(tmp_path / "run", checkpoint_every=2)
    newest = Checkpoints(tmp_path / "run").path(4)
    content = newest.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    newest.write_bytes({"torn": content[:middle], "flipped": flipped, "empty": b""}[damage])
    resumed = make("vae").fit(
        digits(), out=tmp_path / "run", resume=True, **{**OPTIONS, "steps": 8, "checkpoint_every": 2}
    )
    assert "damaged" in capsys.readouterr().err
    assert equal(whole, resumed.state_dict())


def test_when_every_checkpoint_is_damaged_nothing_is_overwritten(tmp_path):
    interrupted(tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints").glob("*.pt"):
        path.write_bytes(b"torn")
    with pytest.raises(NacreError, match="every checkpoint"):
        make("vae").fit(digits(), out=tmp_path / "run", resume=True, **{**OPTIONS, "steps": 8})
    assert all(path.read_bytes() == b"torn" for path in (tmp_path / "run" / "checkpoints").glob("*.pt"))


def test_a_checkpoint_of_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "VERSION", 999)
    interrupted(tmp_path / "run")
    monkeypatch.undo()
    with pytest.raises(NacreError, match="checkpoint version 999"):
        make("vae").fit(digits(), out=tmp_path / "run", resume=True, **{**OPTIONS, "steps": 8})


def test_loading_never_unpickles(tmp_path):
    """A checkpoint that holds anything but tensors and plain values is refused, even with a good checksum."""
    interrupted(tmp_path / "run")
    Checkpoints(tmp_path / "run").save(4, {"evil": Path("code")})
    with pytest.raises(Exception, match="Weights only load failed"):
        Checkpoints(tmp_path / "run").load(4)


def test_resume_on_a_changed_configuration_says_what_changed(tmp_path):
    interrupted(tmp_path / "run")
    before = (tmp_path / "run" / "run.json").read_text()
    with pytest.raises(NacreError, match=r"lr was 0\.001 and is now 0\.5"):
        make("vae").fit(digits(), out=tmp_path / "run", resume=True, **{**OPTIONS, "steps": 8, "lr": 0.5})
    assert (tmp_path / "run" / "run.json").read_text() == before


def test_a_run_can_be_made_longer(tmp_path):
    options = {**OPTIONS, "schedule": "constant"}
    whole = make("vae").fit(digits(), out=tmp_path / "whole", **{**options, "steps": 8}).state_dict()
    make("vae").fit(digits(), out=tmp_path / "run", **{**options, "steps": 5})
    longer = make("vae").fit(digits(), out=tmp_path / "run", resume=True, **{**options, "steps": 8})
    assert equal(whole, longer.state_dict())


def test_an_unfinished_run_loads_its_average_at_the_newest_checkpoint(tmp_path):
    interrupted(tmp_path / "run")
    trainer = Trainer(make("vae"), {"data": digits()}, nacre.Training(**{**OPTIONS, "schedule": "cosine", "steps": 8}))
    loaded = nacre.load(tmp_path / "run")
    assert loaded.sample(2, seed=0).shape == (2, 1, 8, 8)
    assert not equal(loaded.state_dict(), trainer.model.state_dict())


def test_a_full_disk_ends_with_one_sentence_and_the_last_good_checkpoint(tmp_path, monkeypatch, capsys):
    real, written = os.fsync, []

    def full(descriptor):
        written.append(descriptor)
        if len(written) > 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    out = tmp_path / "run"
    arguments = ["train", "vae", "digits", "--steps", "40", "--checkpoint-every", "2", "--no-progress"]
    assert main([*arguments, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "No space left on device" in said and said.count("\n") == 1
    monkeypatch.undo()
    good = Checkpoints(out).valid(print)
    assert good and not list(out.rglob("*.partial"))
    assert main(["train", "--resume", str(out)]) == 0
    whole = tmp_path / "whole"
    assert main([*arguments, "--out", str(whole)]) == 0
    assert equal(weights_of(out), weights_of(whole))


def test_an_unwritable_folder_ends_with_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("here")
    out = tmp_path / "file" / "run"
    assert main(["train", "vae", "digits", "--steps", "2", "--no-progress", "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("nacre: cannot write") and said.count("\n") == 1
    assert (tmp_path / "file").read_text() == "here"


class Explodes(Model):
    """Its loss is not a number from the fifth step on."""

    def __init__(self, spec):
        super().__init__(spec)
        self.net = torch.nn.Linear(spec.size, 1)
        self.register_buffer("count", torch.zeros(()))

    def turns(self):
        return [Turn(self.net, self.net_loss)]

    def net_loss(self, batch):
        self.count += 1
        broken = torch.where(self.count >= 5, torch.nan, 1.0)
        return {"fine": self.net(batch.x.flatten(1)).square().mean(), "broken": broken * self.net.weight.sum()}


def test_a_loss_that_is_not_finite_is_named_and_the_last_good_checkpoint_kept(tmp_path):
    torch.manual_seed(0)
    with pytest.raises(DivergedError, match="term 'broken' of turn 'net_loss' is nan at step 5"):
        Explodes(digits().spec).fit(digits(), out=tmp_path, **{**OPTIONS, "steps": 9, "checkpoint_every": 2})
    steps = Checkpoints(tmp_path).valid(print)
    assert steps[-1] == 4
    state = Checkpoints(tmp_path).load(4)
    assert all(torch.isfinite(value).all() for value in state["model"].values())
