"""The verbs of latent space, on runs of a model with an encoder, of one without, and of a latent of two dimensions."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import nacre
from nacre.cli.main import main
from nacre.data.spec import Spec

TRAIN = ["--no-progress", "--doctor", "off"]


def trained(folder, name, *flags, data="digits"):
    assert main(["train", name, data, "--out", str(folder), *flags, *TRAIN]) == 0
    return folder


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "vae"
    return trained(folder, "vae", "--latent", "4", "--hidden", "64", "--steps", "300")


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "gan"
    return trained(folder, "wgan-gp", "--latent", "6", "--hidden", "64", "--steps", "60")


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "flat"
    return trained(folder, "ae", "--latent", "2", "--hidden", "16", "--steps", "20")


def said(capsys, *arguments) -> str:
    """The one sentence that a mistake is answered with."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("nacre: ") and message.count("\n") == 1 and "Traceback" not in message
    return message


def cells(path, side=9):
    """Columns and rows of a grid of digits of 8 pixels with gaps of 1, enlarged to at most 640 pixels."""
    with Image.open(path) as image:
        width, height = image.size
    zoom = next(zoom for zoom in range(80, 0, -1) if (width / zoom + 1) % side == (height / zoom + 1) % side == 0)
    return round((width / zoom + 1) / side), round((height / zoom + 1) / side)


def test_interpolate_through_several_examples(vae, gan, tmp_path):
    for run in (vae, gan):
        picture, moving = tmp_path / f"{run.name}.png", tmp_path / f"{run.name}.gif"
        flags = ["--pairs", "2", "--through", "3", "--steps", "4", "--grid", str(picture), "--animation", str(moving)]
        assert main(["interpolate", str(run), *flags]) == 0
        assert cells(picture) == (7, 2)
        with Image.open(moving) as image:
            assert image.n_frames == 7 + 5


def test_traverse_draws_the_dimensions_that_change_most(vae, gan, capsys):
    for run, dims in ((vae, 4), (gan, 6)):
        capsys.readouterr()
        assert main(["traverse", str(run)]) == 0
        printed = capsys.readouterr().out.splitlines()
        assert sorted(map(int, printed[0].split()[1:])) == list(range(dims))
        assert printed[1] == str(run / "traversal.png") and cells(run / "traversal.png") == (9, dims)
        assert main(["traverse", str(run), "--dims", "0", "2", "--steps", "5"]) == 0
        assert cells(run / "traversal.png") == (5, 2)


def test_a_latent_of_two_is_drawn_as_a_whole(flat):
    assert main(["traverse", str(flat), "--steps", "6"]) == 0
    assert cells(flat / "manifold.png") == (6, 6)
    assert main(["traverse", str(flat), "--dims", "1", "--animation", str(flat / "x.apng")]) == 0
    with Image.open(flat / "x.apng") as image:
        assert image.n_frames == 16


def test_few_held_out_examples_are_walked_between_in_fewer_rows(tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32))
    run = trained(tmp_path / "ae", "ae", "--latent", "3", "--hidden", "8", "--steps", "5", "--batch-size", "16",
                  data=str(tmp_path / "x.npy"))  # fmt: skip
    assert main(["interpolate", str(run), "--animation", str(tmp_path / "walks.gif")]) == 0
    assert "ask for fewer" in said(capsys, "interpolate", run, "--pairs", 3)


def test_edit_toward_a_class_and_what_it_measures(vae, gan, capsys):
    capsys.readouterr()
    assert main(["edit", str(vae), "--toward", "0", "--keep", "slant", "-n", "3", "--steps", "5"]) == 0
    assert cells(vae / "edit.png") == (5, 3)
    printed = capsys.readouterr().out
    assert "linear boundary tells 0" in printed and "thickness" in printed
    assert main(["edit", str(vae), "--toward", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    flipped = [effect["flipped"] for effect in found["effects"]]
    assert found["accuracy"] > 0.85 and len(flipped) == 6 and flipped[-1] > flipped[0] + 0.3
    assert main(["edit", str(vae), "--from", "3", "--toward", "8", "--strength", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["effects"][-1]["strength"] == 2 and found["effects"][0]["n"] <= 37  # the held-out threes
    assert main(["edit", str(gan), "--toward", "ink", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["effects"][-1]["flipped"] > 0.7 and set(found["effects"][0]["changed"]) == {"slant", "thickness"}


def test_edit_along_a_component_needs_no_labels(tmp_path, gan):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(80, 5)).astype(np.float32))
    run = trained(tmp_path / "ae", "ae", "--latent", "3", "--hidden", "8", "--steps", "5", "--batch-size", "16",
                  data=str(tmp_path / "x.npy"))  # fmt: skip
    moving = tmp_path / "moving.gif"
    for folder in (run, gan):
        assert main(["edit", str(folder), "--component", "1", "-n", "2", "--animation", str(moving)]) == 0
        with Image.open(moving) as image:
            assert image.n_frames == 12


def test_project_data_and_one_picture(vae, gan, tmp_path, capsys):
    assert main(["project", str(gan), "-n", "3", "--steps", "60", "--out", str(tmp_path / "z.npy")]) == 0
    codes, printed = np.load(tmp_path / "z.npy"), capsys.readouterr().out
    assert codes.shape == (3, 6) and "squared error per value" in printed
    model, x = nacre.load(gan), nacre.load_data("digits:test").examples(3, 0).x
    error = (model.decode(codes) - x).square().mean()
    assert float(printed.split("per value ")[1].split()[0]) == pytest.approx(float(error), rel=1e-3)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(tmp_path / "x.png")
    flags = ["--steps", "5", "--restarts", "1", "--prior", "0.1", "--features"]
    assert main(["project", str(vae), str(tmp_path / "x.png"), *flags]) == 0
    assert cells(vae / "projections.png") == (2, 1)


def test_sample_with_truncation_varies_less(vae, gan, tmp_path):
    for run in (vae, gan):
        spread = {}
        for flags in ([], ["--truncation", "0.3"]):
            out = tmp_path / f"{run.name}-{len(flags)}.npy"
            assert main(["sample", str(run), "-n", "200", "--seed", "0", *flags, "--out", str(out)]) == 0
            spread[len(flags)] = np.load(out).var(0).mean()
        assert spread[2] < 0.5 * spread[0]


def test_mistakes_get_one_sentence(vae, gan, flat, tmp_path, capsys):
    assert "--toward ATTRIBUTE or --component" in said(capsys, "edit", vae)
    assert "component is -1" in said(capsys, "edit", vae, "--component", -1)
    assert "reach is nan" in said(capsys, "traverse", vae, "--reach", "nan")
    assert "images have no columns" in said(capsys, "inpaint", vae, "--columns", "x3")
    assert "--from needs --toward" in said(capsys, "edit", vae, "--component", 0, "--from", 3)
    assert "did you mean thickness" in said(capsys, "edit", vae, "--toward", "thicknes")
    assert "no 7 components" in said(capsys, "edit", vae, "--component", 6)
    assert "nothing of 3 is left" in said(capsys, "edit", vae, "--toward", 3, "--keep", 3)
    assert "two steps" in said(capsys, "edit", vae, "--toward", 3, "--steps", 1)
    assert "latent has 4" in said(capsys, "traverse", vae, "--dims", 4)
    assert "reach is 0" in said(capsys, "traverse", vae, "--reach", 0)
    assert "at least one pair" in said(capsys, "interpolate", vae, "--through", 1)
    assert "ask for fewer" in said(capsys, "interpolate", vae, "--pairs", 500)
    assert ".gif" in said(capsys, "interpolate", vae, "--animation", tmp_path / "x.mp4")
    assert "-n is 0" in said(capsys, "project", gan, "-n", 0)
    assert "does not decode" in said(capsys, "project", gan, fake_png(tmp_path))
    assert "cannot sample" in said(capsys, "sample", flat, "--truncation", 0.5)
    assert "must be positive" in said(capsys, "sample", gan, "--truncation", 0)


def fake_png(folder):
    (folder / "fake.png").write_text("no picture")
    return folder / "fake.png"


@pytest.mark.parametrize(("latent", "picture"), [("3", "traversal.png"), ("2", "manifold.png")])
def test_traversals_of_a_table_name_what_changes(tmp_path, latent, picture, capsys):
    rng = np.random.default_rng(0)
    rows = np.c_[rng.normal(size=(80, 1)), 1e6 * rng.normal(size=(80, 1)), rng.normal(size=(80, 1))]
    np.savetxt(tmp_path / "t.csv", rows, delimiter=",", header="a,b,c", comments="")
    run = trained(tmp_path / "run", "vae", "--latent", latent, "--steps", "5", data=str(tmp_path / "t.csv"))
    assert main(["traverse", str(run)]) == 0 and main(["sample", str(run), "-n", "20"]) == 0
    for name in (picture, "samples.png"):
        with Image.open(run / name) as drawn:
            assert drawn.width > 350 and len(drawn.getcolors(100_000)) > 10


def test_the_dimensions_of_a_table_are_ranked_whatever_its_units(tmp_path, capsys):
    """The largest change is that in standard deviations: b has a million times the units of a."""
    spec = Spec((2,), scale=(1.0, 1e6), columns=("a", "b"))
    model = nacre.create("ae", spec, latent=3, hidden=(), activation="identity")
    for parameter in model.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    weight = next(p for p in model.decoder.parameters() if p.dim() == 2)
    weight.data[:] = torch.tensor([[0.0, 3.0, 0.0], [1.0, 0.0, 0.0]])
    data = tmp_path / "t.csv"
    np.savetxt(data, np.random.default_rng(0).normal(size=(40, 2)) * [1, 1e6], delimiter=",", header="a,b", comments="")
    folder = trained(tmp_path / "run", "ae", "--latent", "3", "--hidden", "4", "--steps", "1", data=str(data))
    model.save_pretrained(folder / "model")
    capsys.readouterr()
    assert main(["traverse", str(folder)]) == 0
    assert capsys.readouterr().out.split()[:2] == ["dimensions", "1"]
