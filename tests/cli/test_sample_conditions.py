"""Asking a run for labels, attributes and a labelled set."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import nacre
from nacre.cli.main import main
from nacre.game import Batch
from nacre.impute import impute, region
from nacre.latent.codes import codes_of
from nacre.latent.interpolate import interpolate
from nacre.latent.manifold import manifold
from nacre.latent.traverse import traverse
from nacre.nets.conditions import told, told_of


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


def test_a_sampled_table_has_labels_and_whole_numbers(tmp_path):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"age": rng.integers(0, 1_000, 200), "size": rng.normal(size=200)})
    rows["sex"] = np.where(rng.random(200) < 0.3, "f", "m")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    run, flags = str(tmp_path / "run"), ["--steps", "3", "--batch-size", "50", "--hidden", "8", "--no-progress"]
    assert main(["train", "tabular-vae", str(tmp_path / "rows.csv"), "--label", "sex", *flags, "--out", run]) == 0
    asked = {"drawn": ["-n", "300"], "women": ["-n", "5", "--label", "f"], "even": ["--per-class", "4"]}
    found = {}
    for name, words in asked.items():
        assert main(["sample", run, *words, "--seed", "0", "--out", str(tmp_path / f"{name}.csv")]) == 0
        found[name] = pd.read_csv(tmp_path / f"{name}.csv")
        assert list(found[name].columns) == ["age", "size", "sex"] and found[name]["age"].dtype == np.int64
    assert 0.2 < (found["drawn"]["sex"] == "f").mean() < 0.4
    assert list(found["women"]["sex"]) == ["f"] * 5 and sorted(found["even"]["sex"]) == ["f"] * 4 + ["m"] * 4
    for name in ("drawn.npz", "drawn.npy"):
        assert main(["sample", run, "-n", "9", "--seed", "1", "--out", str(tmp_path / name)]) == 0
    labelled = nacre.load_data(str(tmp_path / "drawn.npz"), split="all")
    assert labelled.y.shape == (9,) and np.array_equal(labelled.x, np.load(tmp_path / "drawn.npy"))
    clash = rows.rename(columns={"sex": "y", "size": "label"})
    clash.to_csv(tmp_path / "clash.csv", index=False)
    run = str(tmp_path / "clashing")
    assert main(["train", "tabular-vae", str(tmp_path / "clash.csv"), "--label", "y", *flags, "--out", run]) == 0
    assert main(["sample", run, "--out", str(tmp_path / "clashed.csv")]) == 0
    assert list(pd.read_csv(tmp_path / "clashed.csv").columns) == ["age", "label", "y"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--label", "-2"], "labels must lie between 0 and 9"),
        (["--attribute", "thickness=nan"], "is not finite"),
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


def test_what_no_training_example_has_may_be_asked_for_with_a_word_of_warning(run, tmp_path, capsys):
    asked = ["sample", str(run), "-n", "2", "--out", str(tmp_path / "x.npy"), "--attribute"]
    assert main([*asked, "thickness=30"]) == 0
    error = capsys.readouterr().err
    assert error.startswith("note: thickness=30 lies outside of ") and error.count("\n") == 1


def test_what_the_data_say_of_examples_is_told_when_they_go_through_the_model(run, tmp_path, capsys):
    held = nacre.load_data("digits", split="test", attributes=("thickness",))
    index = held.choice(32, 0)
    x, y, a = (getattr(held.examples(), key)[index] for key in ("x", "y", "a"))
    model = nacre.load(run)
    for verb in ("reconstruct", "inpaint"):
        assert main([verb, str(run), "-n", "32", "--seed", "0", "--out", str(tmp_path / f"{verb}.npy")]) == 0
    expected = model.reconstruct(x, labels=y, attributes={"thickness": a[:, 0]})
    assert np.allclose(np.load(tmp_path / "reconstruct.npy"), expected, atol=1e-5)
    assert not torch.allclose(expected, model.reconstruct(x), atol=1e-3)
    gone = region("bottom", model.spec.shape)
    filled = impute(model, x, gone, seed=0, labels=y, attributes={"thickness": a[:, 0]})
    assert np.allclose(np.load(tmp_path / "inpaint.npy"), filled, atol=1e-5)


def test_classes_are_told_by_name(run):
    model = nacre.load(run)
    batch = Batch(x=torch.zeros(4, 1, 8, 8), y=torch.tensor([0, 1, 2, -1]))
    spec = replace(model.spec, classes=("seven", "7", "0"), attributes=())
    assert told(model, batch, spec)["labels"].tolist() == [-1, 7, 0, -1]
    assert told(nacre.create("vae", model.spec), batch, spec) == {}
    assert told(model, Batch(x=batch.x), spec) == {}


def test_walks_through_a_conditional_latent_are_told_what_the_first_example_is(run, tmp_path):
    held, model = nacre.load_data("digits", split="test", attributes=("thickness",)), nacre.load(run)
    codes = codes_of(model, held, n=4, seed=1, telling=True)
    batch = held.examples(4, 1)
    assert torch.equal(codes.told["labels"], batch.y) and torch.equal(
        codes.told["attributes"]["thickness"], batch.a[:, 0]
    )
    assert torch.equal(codes.z, model.encode(batch.x, **codes.told))
    assert codes_of(model, held, n=4, seed=1).told == {}
    one = told_of(codes.told, 0)
    walk = interpolate(model, codes.z[0], codes.z[1], steps=3, **one)
    assert torch.allclose(walk[[0, 2]], model.decode(codes.z[:2], **one), atol=1e-6)
    rows = traverse(model, codes.z[0], [1], steps=3, reach=2.0, **one)
    middle = torch.tensor([[codes.z[0, 0], 0.0]])
    assert torch.allclose(rows[0, 1], model.decode(middle, **one)[0], atol=1e-6)
    plane = manifold(model, 3, **one)
    assert torch.allclose(plane[1, 1], model.decode(torch.zeros(1, 2), **one)[0], atol=1e-5)
    for verb in ("interpolate", "traverse"):
        assert main([verb, str(run), "--grid", str(tmp_path / f"{verb}.png")]) == 0
        assert (tmp_path / f"{verb}.png").stat().st_size > 0
