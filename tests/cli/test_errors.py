"""Bad input gets one sentence that names the fix, exit code 2, and no traceback."""

import numpy as np
import pytest
from PIL import Image

import nacre
from nacre.cli.main import main

TRAIN = ["--steps", "2", "--no-progress"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of an unconditional model."""
    out = tmp_path_factory.mktemp("runs") / "vae"
    assert main(["train", "vae", "digits", "--hidden", "8", *TRAIN, "--out", str(out)]) == 0
    return out


def said(capsys, *arguments: object) -> str:
    """The one sentence that a mistake is answered with."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("nacre: ") and message.count("\n") == 1 and "Traceback" not in message
    return message


def test_a_page_does_not_replace_a_file_of_another_kind(run, tmp_path, capsys):
    (tmp_path / "people.csv").write_text("age\n31\n")
    assert "give a name that ends in .html" in said(capsys, "compare", run, run, "--html", tmp_path / "people.csv")
    assert (tmp_path / "people.csv").read_text() == "age\n31\n"


def test_resume_without_a_run_asks_for_one(capsys):
    assert "nacre train --resume RUN" in said(capsys, "train", "--resume")


def test_ctrl_c_before_anything_was_begun_says_so(capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("nacre.cli.show.box", stop)
    assert main(["show", "vae"]) == 130
    assert capsys.readouterr().err == "nacre: stopped.\n"


def image(path, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)).save(path)


def test_unknown_command(capsys):
    assert "did you mean train" in said(capsys, "trian")


def test_unknown_model(capsys):
    assert "did you mean wgan-gp" in said(capsys, "train", "wgan-pg", "digits")


def test_unknown_data(capsys):
    assert "did you mean digits" in said(capsys, "train", "vae", "digit", *TRAIN)


def test_missing_file(capsys, tmp_path):
    assert "nowhere.npz" in said(capsys, "train", "vae", tmp_path / "nowhere.npz", *TRAIN)


def test_empty_folder(capsys, tmp_path):
    assert "image" in said(capsys, "train", "vae", tmp_path, *TRAIN)


def test_an_image_that_does_not_decode_is_named(capsys, tmp_path):
    image(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert "bad.png" in said(capsys, "train", "vae", tmp_path, *TRAIN)


def test_images_of_different_sizes(capsys, tmp_path):
    image(tmp_path / "a.png")
    image(tmp_path / "b.png", (9, 12))
    assert "--size" in said(capsys, "train", "vae", tmp_path, *TRAIN)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers(capsys, tmp_path, bad):
    x = np.zeros((10, 4), np.float32)
    x[3, 2] = bad
    np.save(tmp_path / "x.npy", x)
    assert "3" in said(capsys, "train", "vae", tmp_path / "x.npy", *TRAIN)


def test_labels_out_of_range(capsys, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros((4, 3), np.float32), y=np.array([0, 1, -1, 0]))
    assert "label" in said(capsys, "train", "vae", tmp_path / "x.npz", *TRAIN)


def test_batch_larger_than_the_data(capsys, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32))
    assert "--batch-size 18" in said(capsys, "train", "vae", tmp_path / "x.npy", "--batch-size", "64", *TRAIN)


def test_a_value_outside_the_models_range(capsys, tmp_path, run):
    assert "values in [0, 1]" in said(capsys, "train", "rbm", "ring", *TRAIN, "--out", tmp_path / "r")
    np.save(tmp_path / "x.npy", np.full((4, 1, 8, 8), 7.0, np.float32))
    message = said(capsys, "reconstruct", run, tmp_path / "x.npy", "--grid", tmp_path / "x.png")
    assert "[0, 1]" in message or "shape" in message


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--latent", "many"], "--latent"),
        (["--latent", "0"], "latent is 0"),
        (["--lattent", "3"], "--latent"),
        (["--likelihood", "poisson"], "bernoulli"),
        (["--steps", "0"], "steps is 0"),
        (["--ema", "1.5"], "ema is 1.5"),
        (["--accumulate", "3"], "accumulate"),
        (["--device", "abacus"], "cpu"),
        (["--player-lr", "critic", "0.1"], "encoder"),
        (["--activation", "relux"], "relu"),
    ],
)
def test_flags_that_do_not_fit(capsys, tmp_path, flags, words):
    assert words in said(capsys, "train", "vae", "digits", *TRAIN, "--out", tmp_path / "r", *flags)
    assert not (tmp_path / "r").exists()


def test_a_folder_that_is_no_run(capsys, tmp_path):
    assert "no run.json" in said(capsys, "sample", tmp_path)
    assert "does not exist" in said(capsys, "sample", tmp_path / "nowhere")
    assert "does not exist" in said(capsys, "train", "--resume", tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["{", "{}", "[]"])
def test_a_damaged_run_json(capsys, tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    assert "run.json is damaged" in said(capsys, "sample", tmp_path)


def test_a_file_that_may_not_be_read(capsys, run, monkeypatch):
    def refused(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.read_text", refused)
    assert "run.json cannot be read (Permission denied)" in said(capsys, "sample", run)
    monkeypatch.setattr("pathlib.Path.iterdir", refused)
    assert "Permission denied" in said(capsys, "data", run)


def test_what_is_there_is_not_overwritten(capsys, tmp_path, run):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "00000.png").write_text("mine")
    (tmp_path / "rows.npy").write_text("mine")
    for verb in ("sample", "reconstruct", "inpaint", "score", "encode", "project"):
        for out in ("photos", "rows.npy"):
            assert "is not overwritten" in said(capsys, verb, run, "--out", tmp_path / out)
    assert (tmp_path / "photos" / "00000.png").read_text() == (tmp_path / "rows.npy").read_text() == "mine"


def test_others_may_read_the_weights_as_they_may_the_rest(run):
    assert (run / "model" / "model.safetensors").stat().st_mode == (run / "model" / "config.json").stat().st_mode


def test_a_label_from_an_unconditional_model(capsys, run):
    assert "unconditional" in said(capsys, "sample", run, "--label", "3")


def test_an_out_that_holds_another_run(capsys, run):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert "--resume" in said(capsys, "train", "vae", "digits", *TRAIN, "--out", run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_resume_without_a_run(capsys, tmp_path):
    assert "no run to resume" in said(capsys, "train", "vae", "digits", *TRAIN, "--out", tmp_path / "r", "--resume")
    assert "--out" in said(capsys, "train", "vae", "digits", *TRAIN, "--resume")


def test_a_run_is_not_resumed_to_fewer_steps_or_on_other_data(capsys, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32))
    flags = ["--hidden", "8", "--latent", "2", "--steps", "8", "--batch-size", "20", "--no-progress"]
    run = tmp_path / "run"
    assert main(["train", "vae", str(tmp_path / "x.npy"), *flags, "--out", str(run)]) == 0
    assert "is at step 8 already; give --steps of 8 or more" in said(capsys, "train", "--resume", run, "--steps", "4")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))
    assert "data's n was 54 and is now 36" in said(capsys, "train", "--resume", run, "--steps", "12")


def test_verbs_that_a_model_cannot(capsys, tmp_path):
    out = tmp_path / "gan"
    assert main(["train", "gan", "digits", "--hidden", "8", *TRAIN, "--out", str(out)]) == 0
    assert "cannot encode" in said(capsys, "encode", out)
    assert "cannot" in said(capsys, "reconstruct", out)


def test_places_that_cannot_be_written(capsys, tmp_path, run):
    (tmp_path / "file").write_text("")
    assert "cannot write" in said(capsys, "sample", run, "--out", tmp_path / "file" / "x.npy")
    assert ".npy" in said(capsys, "sample", run, "--out", tmp_path / "x.xyz")
    assert ".png" in said(capsys, "sample", run, "--grid", tmp_path / "x.txt")


def test_dcgan_on_vectors(capsys, tmp_path):
    assert "needs images" in said(capsys, "train", "dcgan", "ring", *TRAIN, "--out", tmp_path / "r")


def test_python_gets_the_same_sentences():
    data = nacre.load_data("digits")
    with pytest.raises(nacre.NacreError, match="hyper-parameter of vae 'latnt'"):
        nacre.create("vae", data.spec, latnt=3)
    with pytest.raises(nacre.NacreError, match="no option 'latnt'; did you mean latent"):
        nacre.train("vae", data, latnt=3)
    with pytest.raises(nacre.NacreError, match="training option 'stepz'"):
        nacre.create("vae", data.spec).fit(data, stepz=3)
    with pytest.raises(nacre.NacreError, match="made for"):
        nacre.create("vae", data.spec).fit("ring", steps=1)
    with pytest.raises(AttributeError, match="no attribute 'VEA'"):
        _ = nacre.VEA


def test_a_run_on_resized_images_resumes_and_reconstructs_at_that_size(capsys, tmp_path):
    for i in range(12):
        image(tmp_path / "pictures" / f"{i}.png", (20 + i, 30))
    out = tmp_path / "run"
    flags = ["--size", "8", "--batch-size", "4", "--hidden", "8", *TRAIN]
    assert main(["train", "vae", str(tmp_path / "pictures"), *flags, "--out", str(out)]) == 0
    assert main(["train", "--resume", str(out), "--steps", "3"]) == 0
    assert main(["reconstruct", str(out), "-n", "2"]) == 0
    assert nacre.load(out).spec.shape == (3, 8, 8)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["vae", "digits", "--mmd", "30"],
            "--mmd has no effect without --regulariser mmd; add that, or leave",
        ),
        (["vae", "digits", "--straight-through"], "without --distribution categorical or bernoulli"),
        (["sparse-ae", "digits", "--rate", "0.1"], "without --sparsity kl or lifetime"),
        (["gan", "ring", "--gamma", "3"], "without --penalty"),
        (["vae", "digits", "--attributes", "ink"], "vae is told no attributes"),
    ],
)
def test_what_has_no_effect_is_refused(flags, message, capsys):
    assert main(["train", *flags]) == 2
    assert message in capsys.readouterr().err


def test_presets_and_what_has_an_effect_are_taken(capsys):
    assert main(["train", "wgan-gp", "ring", "--gamma", "3", "--dry-run"]) == 0
    assert main(["train", "gan", "digits", "--adaptive", "--dry-run"]) == 0
    assert main(["train", "vae", "digits", "--regulariser", "js", "--skew", "0.2", "--dry-run"]) == 0


def test_one_example_is_nothing_to_learn_from(tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.zeros((1, 4)))
    with pytest.raises(nacre.NacreError, match="too few"):
        nacre.train("vae", np.zeros((1, 4)))
    assert main(["train", "vae", str(tmp_path / "x.npy")]) == 2
    assert "too few to learn from" in capsys.readouterr().err
