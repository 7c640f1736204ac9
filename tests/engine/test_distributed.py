"""Training under torchrun, as a user starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import nacre
from nacre.cli.main import main

pytestmark = pytest.mark.xdist_group("processes")
SGD = ["--optimizer", "sgd", "--lr", "0.01", "--schedule", "constant", "--ema", "0", "--batch-size", "32"]
SMALL = {"wgan-gp": ["--hidden", "32", "--latent", "8"], "vae": ["--hidden", "32", "--latent", "4"]}


def torchrun(*arguments: str, processes: int = 2) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, "-m", "nacre", "train", *arguments, "--no-progress"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )


@pytest.mark.parametrize("name", list(SMALL))
def test_resume_under_two_processes_is_exact(name, tmp_path):
    """Six steps at once and three steps, then three more, give the same bits; each rank keeps its own random state."""
    options = [name, "digits", *SMALL[name], "--schedule", "constant", "--batch-size", "32"]
    for folder, steps, more in (("whole", "6", []), ("parts", "3", []), ("parts", "6", ["--resume"])):
        done = torchrun(*options, "--steps", steps, "--out", str(tmp_path / folder), *more)
        assert done.returncode == 0, done.stderr[-2000:]
    whole, parts = (nacre.load(tmp_path / run).state_dict() for run in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    ranks = {path.name for path in (tmp_path / "parts" / "checkpoints").glob("step_00000006*.pt")}
    assert ranks == {"step_00000006.pt", "step_00000006.rank1.pt"}
    steps = [json.loads(line)["step"] for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps)) and steps[-1] == 6


def test_ranks_draw_different_noise(tmp_path):
    """With each rank's own noise two processes are not one process; with SGD on the same data they stay close."""
    assert (
        torchrun("vae", "digits", *SMALL["vae"], *SGD, "--steps", "2", "--out", str(tmp_path / "two")).returncode == 0
    )
    out = str(tmp_path / "one")
    assert main(["train", "vae", "digits", *SMALL["vae"], *SGD, "--steps", "2", "--no-progress", "--out", out]) == 0
    one, two = (nacre.load(tmp_path / run).state_dict() for run in ("one", "two"))
    assert not all(torch.equal(one[key], two[key]) for key in one)
    assert all(torch.allclose(one[key], two[key], atol=0.05) for key in one)


def test_a_mistake_is_said_once(tmp_path):
    done = torchrun("vae", "digits", "--batch-size", "33", "--out", str(tmp_path / "run"))
    assert done.returncode != 0
    assert done.stderr.count("a batch of 33 cannot be shared by 2 processes") == 1
    assert not Path(tmp_path / "run" / "model").exists()
