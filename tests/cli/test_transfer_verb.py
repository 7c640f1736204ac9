"""`nacre transfer` as a user types it."""

import json

import numpy as np
import pytest

from nacre.cli.main import main
from nacre.errors import NacreError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "stack"
    flags = ["--hidden", "48", "24", "--steps", "400", "--no-progress"]
    assert main(["train", "stacked-ae", "digits", *flags, "--out", str(out)]) == 0
    return out


def test_it_prints_and_keeps_what_it_found(run, capsys):
    command = ["transfer", str(run), "--labels", "20", "30", "--draws", "2", "--steps", "40"]
    assert main(command) == 0
    table = capsys.readouterr().out
    kept = json.loads((run / "transfer.json").read_text())["results"]
    assert [found["labels"] for found in kept] == [20, 30]
    for found in kept:
        accuracies = [draw["accuracy"] for draw in found["draws"]]
        assert [draw["seed"] for draw in found["draws"]] == [0, 1] and found["tested"] == 360
        assert found["mean"] == pytest.approx(sum(accuracies) / 2) and found["worst"]["accuracy"] == min(accuracies)
        assert found["gain"] == pytest.approx(found["mean"] - found["random"])
        assert f"{found['mean']:.2%}" in table and f"{found['worst']['accuracy']:.2%}" in table
    assert main([*command[:3], "20", *command[5:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["draws"] == kept[0]["draws"], "the same seeds, the same figures"
    assert main([*command[:3], "20", *command[5:], "--layers", "1"]) == 0
    kept = json.loads((run / "transfer.json").read_text())["results"]
    assert [(found["labels"], found["options"]["layers"]) for found in kept] == [(30, 0), (20, 0), (20, 1)]


def test_all_labels_and_new_layers(run, capsys):
    flags = ["--labels", "0", "--draws", "1", "--steps", "20", "--hidden", "16", "--frozen", "0", "--json"]
    assert main(["transfer", str(run), *flags]) == 0
    assert json.loads(capsys.readouterr().out)[0]["labels"] == 1437


def test_data_without_a_test_part_hold_a_fifth_back(run, capsys):
    flags = ["--data", "digits:all", "--labels", "40", "--draws", "1", "--steps", "20", "--json"]
    assert main(["transfer", str(run), *flags]) == 0
    assert json.loads(capsys.readouterr().out)[0]["tested"] == 1797 // 5


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--labels", "-3"], "or 0 for all"),
        (["--labels", "9999"], "fewer than the"),
        (["--draws", "0"], "draws is 0"),
        (["--drop", "1"], r"drop is 1"),
        (["--encoder-lr", "-1"], "encoder_lr is -1"),
        (["--data", "ring"], "takes images of shape (1, 8, 8), and ring holds vectors"),
    ],
)
def test_mistakes_are_one_sentence(run, flags, message, capsys):
    assert main(["transfer", str(run), *flags]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_data_without_labels_say_so(run, tmp_path, capsys):
    np.save(tmp_path / "images.npy", np.zeros((20, 8, 8), np.uint8))
    assert main(["transfer", str(run), "--data", str(tmp_path / "images.npy")]) == 2
    assert "has no labels" in capsys.readouterr().err


def test_a_run_without_an_encoder_says_so(tmp_path, capsys):
    out = tmp_path / "gan"
    flags = ["--hidden", "8", "--latent", "3", "--steps", "2", "--no-progress", "--out", str(out)]
    assert main(["train", "gan", "digits", *flags]) == 0
    assert main(["transfer", str(out)]) == 2
    assert "has no encoder to transfer" in capsys.readouterr().err


def test_a_damaged_file_of_results_is_said_before_the_work(run, capsys):
    before = (run / "transfer.json").read_text() if (run / "transfer.json").exists() else ""
    (run / "transfer.json").write_text("{")
    assert main(["transfer", str(run), "--labels", "20", "--draws", "1", "--steps", "2"]) == 2
    assert "transfer.json is damaged" in capsys.readouterr().err
    (run / "transfer.json").write_text(before or "{}")


def test_what_cannot_be_kept_is_shown(run, capsys, monkeypatch):
    def full(path, content):
        raise NacreError("cannot write")

    monkeypatch.setattr("nacre.engine.checkpoint.write_atomically", full)
    assert main(["transfer", str(run), "--labels", "20", "--draws", "1", "--steps", "2"]) == 2
    shown = capsys.readouterr()
    assert "worst draw" in shown.out and "cannot write" in shown.err


def test_results_in_the_earlier_layout_are_kept(run):
    (run / "transfer.json").write_text('{"100": {"labels": 100, "mean": 0.5, "options": {}}}')
    assert main(["transfer", str(run), "--labels", "20", "--draws", "1", "--steps", "2"]) == 0
    assert [found["labels"] for found in json.loads((run / "transfer.json").read_text())["results"]] == [100, 20]
