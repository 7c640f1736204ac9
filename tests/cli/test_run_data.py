"""Data beside a run: its own when they have changed, and others that are to be brought to its size and columns."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import nacre
from nacre.cli.input import named, own_data
from nacre.cli.main import main
from nacre.data import toy
from nacre.metrics.context import Context

FLAGS = ["--steps", "3", "--batch-size", "20", "--hidden", "8", "--latent", "2", "--no-progress"]


def photos(folder, n, size, seed=0):
    folder.mkdir()
    for i, values in enumerate(np.random.default_rng(seed).integers(0, 256, (n, *size), dtype=np.uint8)):
        Image.fromarray(values).save(folder / f"{i}.png")
    return str(folder)


def rows(path, n, seed=0):
    rng = np.random.default_rng(seed)
    lines = [f"{rng.normal():.3f},{rng.choice(['a', 'b'])},{rng.normal():.3f}" for _ in range(n)]
    path.write_text("\n".join(["height,letter,width", *lines]) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def of_photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    data = photos(folder / "mine", 40, (12, 16))
    assert main(["train", "vae", data, "--size", "8", *FLAGS, "--out", str(folder / "run")]) == 0
    return str(folder / "run")


@pytest.mark.parametrize("verb", ["score", "encode", "reconstruct", "inpaint", "project"])
def test_photos_of_another_size_are_brought_to_that_of_the_model(of_photos, verb, tmp_path):
    short = {"project": ["--steps", "2", "--no-progress"], "inpaint": ["--steps", "2"]}.get(verb, [])
    others = photos(tmp_path / "others", 6, (20, 14))
    assert main([verb, of_photos, others, *short]) == 0


def test_a_run_is_evaluated_by_photos_of_another_size(of_photos, tmp_path):
    others = photos(tmp_path / "others", 20, (20, 14))
    assert main(["evaluate", of_photos, "--data", others, "--metrics", "reconstruction"]) == 0


def test_vectors_are_no_photos(of_photos, capsys):
    assert main(["score", of_photos, "ring"]) == 2
    assert "takes images of shape (1, 8, 8), and ring holds vectors" in capsys.readouterr().err


def test_rows_of_a_whole_table_are_brought_to_the_columns_of_the_run(tmp_path):
    data, run = rows(tmp_path / "mine.csv", 60), str(tmp_path / "run")
    assert main(["train", "tabular-vae", data, "--columns", "letter", "width", *FLAGS, "--out", run]) == 0
    others = rows(tmp_path / "others.csv", 60, seed=1)
    assert main(["evaluate", run, "--data", others, "--metrics", "elbo", "--draws", "2"]) == 0
    whole = own_data(run, others)
    assert whole.spec.columns == ("letter", "width") == whole.sibling("test").spec.columns


def test_data_that_have_changed_since_training_are_not_taken_for_the_same(tmp_path, capsys):
    data, run = rows(tmp_path / "mine.csv", 60), str(tmp_path / "run")
    assert main(["train", "tabular-vae", data, *FLAGS, "--out", run]) == 0
    assert main(["reconstruct", run]) == 0
    rows(tmp_path / "mine.csv", 60, seed=1)
    for verb in (["evaluate", run], ["reconstruct", run], ["score", run], ["transfer", run]):
        capsys.readouterr()
        assert main(verb) == 2
        error = capsys.readouterr().err
        assert "is not what" in error and error.count("\n") == 1
    assert main(["score", run, data]) == 0


def test_columns_in_another_order_give_the_same_numbers(tmp_path, capsys):
    data, run = rows(tmp_path / "mine.csv", 200), str(tmp_path / "run")
    table = pd.read_csv(data)
    table["height"] = 5e4 + 1e3 * table["height"]
    table.to_csv(data, index=False)
    table[["width", "letter", "height"]].assign(extra=1.5).to_csv(tmp_path / "other.csv", index=False)
    assert main(["train", "tabular-vae", data, *FLAGS, "--out", run]) == 0
    said = []
    for name in ("mine", "other"):
        capsys.readouterr()
        words = ["--data", str(tmp_path / f"{name}.csv"), "--metrics", "frechet", "reconstruction", "--json"]
        assert main(["evaluate", run, *words]) == 0
        said.append({row["name"]: row["value"] for row in json.loads(capsys.readouterr().out)["metrics"]})
    assert said[0] == pytest.approx(said[1], rel=1e-3)
    table.drop(columns="width").to_csv(tmp_path / "narrow.csv", index=False)
    assert main(["score", run, str(tmp_path / "narrow.csv")]) == 2
    assert "has no column width" in capsys.readouterr().err


def test_a_conditional_model_is_asked_for_classes_by_their_names(tmp_path, capsys):
    data, run = rows(tmp_path / "mine.csv", 200), str(tmp_path / "run")
    assert main(["train", "tabular-vae", data, "--label", "letter", *FLAGS, "--out", run]) == 0
    table = pd.read_csv(data)
    table[table["letter"] == "b"].to_csv(tmp_path / "b.csv", index=False)
    context = Context(nacre.load(run), own_data(run, str(tmp_path / "b.csv")))
    assert set(context.held.y.tolist()) == set(context.train.y.tolist()) == set(context.drawn.y.tolist()) == {1}
    table.replace({"letter": {"b": "c"}}).to_csv(tmp_path / "c.csv", index=False)
    assert main(["evaluate", run, "--data", str(tmp_path / "c.csv"), "--metrics", "elbo"]) == 2
    assert "there is no label 'c' among a, b" in capsys.readouterr().err


def test_a_saved_model_takes_data_too(of_photos, tmp_path, capsys):
    model = str(Path(of_photos) / "model")
    assert main(["score", model, photos(tmp_path / "others", 6, (20, 14)), "--grid", str(tmp_path / "x.png")]) == 0
    assert main(["score", "hf:" + model, str(tmp_path / "others"), "--grid", str(tmp_path / "x.png")]) == 0


def test_what_python_loaded_with_a_seed_is_loaded_with_it_again(tmp_path):
    data = nacre.load_data(rows(tmp_path / "mine.csv", 60), seed=3)
    nacre.train("tabular-vae", data, out=tmp_path / "run", steps=2, batch_size=20, progress=False)
    assert own_data(str(tmp_path / "run")).fingerprint == data.fingerprint
    nacre.train("tabular-vae", data.subset(torch.arange(30)), out=tmp_path / "few", steps=2, progress=False)
    with pytest.raises(nacre.NacreError, match="30 training examples then, 54 now"):
        own_data(str(tmp_path / "few"))


def test_points_of_a_toy_set_may_differ_in_their_last_digits(tmp_path, monkeypatch):
    assert main(["train", "gan", "ring", "--steps", "2", "--no-progress", "--out", str(tmp_path / "run")]) == 0
    drawn = toy.draw
    monkeypatch.setattr(toy, "draw", lambda *words: (drawn(*words)[0] * (1 + 1e-7), drawn(*words)[1]))
    assert main(["evaluate", str(tmp_path / "run"), "--metrics", "modes", "-n", "500"]) == 0


def test_images_that_no_longer_fit_in_memory_are_the_same_data(tmp_path, monkeypatch):
    data, words = photos(tmp_path / "mine", 40, (8, 8)), ["--out", str(tmp_path / "run")]
    assert main(["train", "vae", data, *FLAGS, *words]) == 0
    monkeypatch.setenv("NACRE_MEMORY", "1")
    assert main(["reconstruct", str(tmp_path / "run")]) == 0


def test_nothing_is_said_to_be_resized_that_was_not(tmp_path, capsys):
    run = str(tmp_path / "run")
    assert main(["train", "vae", "digits", *FLAGS, "--out", run]) == 0
    capsys.readouterr()
    assert main(["evaluate", run, "--data", "digits", "--metrics", "reconstruction", "-n", "50"]) == 0
    assert "resized" not in capsys.readouterr().out


def test_values_that_were_given_are_not_rounded(tmp_path):
    rng, run = np.random.default_rng(0), str(tmp_path / "run")
    table = pd.DataFrame({"age": rng.integers(0, 90, 60), "size": rng.normal(size=60), "wealth": 1e24 * np.arange(60)})
    table.to_csv(tmp_path / "mine.csv", index=False)
    assert main(["train", "tabular-vae", str(tmp_path / "mine.csv"), *FLAGS, "--out", run]) == 0
    table.assign(age=table["age"] + 0.5).to_csv(tmp_path / "half.csv", index=False)
    half = str(tmp_path / "half.csv")
    for name, column in (("sizes", "size"), ("ages", "age")):
        out = str(tmp_path / f"{name}.csv")
        assert main(["inpaint", run, half, "--columns", column, "-n", "60", "--out", out]) == 0
    assert (pd.read_csv(tmp_path / "sizes.csv")["age"] % 1 == 0.5).all()
    assert pd.read_csv(tmp_path / "ages.csv")["age"].dtype == np.int64
    assert main(["sample", run, "--out", str(tmp_path / "new.csv")]) == 0
    assert pd.read_csv(tmp_path / "new.csv")["wealth"].dtype == np.float64


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_photos_of_other_channels_are_brought_to_those_of_the_model(of_photos, mode, tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 14, len(mode)), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    assert main(["score", of_photos, str(tmp_path / "one.png")]) == 0
    assert "one.png" in capsys.readouterr().out


def test_a_file_with_a_column_that_the_run_dropped_for_its_texts_is_taken(tmp_path, capsys):
    frame = pd.DataFrame({"who is it": [f"p{i}" for i in range(1_200)], "full age": np.arange(1_200.0) % 50})
    frame["height"] = np.random.default_rng(0).normal(size=1_200)
    source, run = str(tmp_path / "t.csv"), str(tmp_path / "run")
    frame.to_csv(source, index=False)
    assert main(["train", "vae", source, "--drop", "who is it", *FLAGS, "--out", run]) == 0
    assert main(["score", run, source, "-n", "2"]) == 0
    assert main(["score", run, "-n", "2"]) == 0
    assert main(["train", "--resume", run, "--steps", "5"]) == 0, capsys.readouterr().err


def test_a_run_of_grey_photos_is_resumed_and_judged_in_grey(tmp_path):
    folder, run = tmp_path / "colour", str(tmp_path / "run")
    photos(folder, 30, (8, 8, 3))
    assert main(["train", "vae", str(folder), "--color", "grey", *FLAGS, "--out", run]) == 0
    assert nacre.load(run).spec.shape == (1, 8, 8)
    assert main(["reconstruct", run]) == 0 and main(["train", "--resume", run, "--steps", "5"]) == 0


def test_a_run_of_stacked_digits_is_judged_by_stacked_digits(tmp_path, monkeypatch):
    run, asked = tmp_path / "run", []
    stacked = nacre.load_data(np.random.default_rng(0).integers(0, 256, (30, 3, 8, 8), dtype=np.uint8))
    nacre.create("vae", stacked.spec, latent=2, hidden=(8,), network="dense").save_pretrained(run)
    monkeypatch.setattr(
        "nacre.data.sources.load_data", lambda name, **options: asked.append((name, options)) or stacked
    )
    assert named(str(run), "stacked-mnist:test") is stacked
    assert asked == [("stacked-mnist:test", {"size": (8, 8)})]
