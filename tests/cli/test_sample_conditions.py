"""Asking a run for labels, attributes and a labelled set."""

import numpy as np
import pytest
import torch

import nacre
from nacre.cli.main import main


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "cvae"
    data = nacre.load_data("digits", attributes=("thickness",))
    nacre.create("cvae", data.spec, latent=2, hidden=(16,)).fit(data, steps=5, out=out, progress=False)
    return out


def test_a_labelled_set_loads_again(run, tmp_path, capsys):
    assert main(["sample", str(run), "--per-class", "3", "--seed", "1", "--out", str(tmp_path / "set")]) == 0
    assert main(["sample", str(run), "--per-class", "3", "--seed", "1", "--out", str(tmp_path / "set.npz")]) == 0
    folder, file = (nacre.load_data(str(tmp_path / name), split="all") for name in ("set", "set.npz"))
    assert len(folder) == len(file) == 30
    assert folder.y.bincount().tolist() == file.y.bincount().tolist() == [3] * 10
    assert folder.spec.classes == tuple("0123456789")
    assert torch.allclose(folder.examples().x.sort(0).values, file.examples().x.sort(0).values, atol=1 / 255)
    assert main(["sample", str(run), "--per-class", "3", "--out", str(tmp_path / "set")]) == 2
    assert "is not overwritten" in capsys.readouterr().err


def test_labels_and_attributes_change_the_samples(run, tmp_path):
    asked = [["--label", "3"], ["--label", "4"], ["--attribute", "thickness=2"], []]
    drawn = []
    for i, flags in enumerate(asked):
        out = tmp_path / f"{i}.npy"
        assert main(["sample", str(run), "-n", "4", "--seed", "1", *flags, "--out", str(out)]) == 0
        drawn.append(out.read_bytes())
    assert len(set(drawn)) == 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--label", "12"], "labels must lie between 0 and 9"),
        (["--label", "seven"], "there is no class 'seven'"),
        (["--attribute", "thick=2"], "there is no attribute 'thick'"),
        (["--attribute", "thickness"], "write name=value"),
        (["--per-class", "2"], "needs --out"),
        (["--per-class", "0", "--out", "x"], "1 or more"),
    ],
)
def test_mistakes_are_one_sentence(run, flags, message, capsys):
    assert main(["sample", str(run), *flags]) == 2
    assert message in capsys.readouterr().err


def test_an_unconditional_model_says_so(tmp_path, capsys):
    nacre.train("vae", "digits", steps=1, hidden=(4,), out=tmp_path / "vae", progress=False)
    for flags in (["--label", "3"], ["--per-class", "3", "--out", str(tmp_path / "x")], ["--attribute", "a=1"]):
        assert main(["sample", str(tmp_path / "vae"), *flags]) == 2
        assert "cvae" in capsys.readouterr().err


def test_samples_have_the_codes_asked_for(tmp_path, capsys):
    out = str(tmp_path / "info")
    assert main(["train", "infogan", "digits", "--hidden", "8", "--steps", "2", "--out", out, "--no-progress"]) == 0
    files = [str(tmp_path / f"{name}.npy") for name in ("a", "b", "c")]
    for file, codes in zip(files, (["c1=3", "c2=-1"], ["c1=3", "c2=1"], ["c1=3", "c2=-1"]), strict=True):
        assert main(["sample", out, "-n", "4", "--seed", "0", "--out", file, "--code", *codes]) == 0
    a, b, c = map(np.load, files)
    assert np.array_equal(a, c) and not np.array_equal(a, b)
    capsys.readouterr()
    for codes, words in ((["c9=1"], "there is no code 'c9'"), (["c1=12"], "between 0 and 9"), (["c1"], "name=value")):
        assert main(["sample", out, "--code", *codes]) == 2
        assert words in capsys.readouterr().err
