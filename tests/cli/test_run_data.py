"""Data beside a run: its own when they have changed, and others that are to be brought to its size and columns."""

import numpy as np
import pytest
from PIL import Image

from nacre.cli.input import own_data
from nacre.cli.main import main

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
    assert "give images" in capsys.readouterr().err


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
