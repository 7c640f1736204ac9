"""Binary images softened: greys that neighbours tell, drawn anew in every batch, and judged as they are."""

import json

import numpy as np
import pytest
import torch

import nacre
from nacre import NacreError
from nacre.cli.main import main
from nacre.data import soften
from nacre.data.soften import SoftenedData


@pytest.fixture(scope="module")
def blobs():
    """Discs at random places with soft edges: their grey values, and one draw from them."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:12, :12]
    centre = rng.uniform(3, 9, (3_000, 2, 1, 1))
    distance = np.hypot(row - centre[:, 0], column - centre[:, 1])
    grey = 1 / (1 + np.exp(2 * (distance - 3)))
    return grey[:, None].astype(np.float32), (rng.random((3_000, 1, 12, 12)) < grey[:, None]).astype(np.uint8) * 255


def test_the_greys_are_nearer_to_the_truth_than_the_draw(blobs):
    grey, x = blobs
    data = nacre.load_data(x, split="all", soften=0.8)
    assert isinstance(data, SoftenedData) and data.spec.binary
    error = (data.greys.numpy() / 255 - grey) ** 2
    assert error.mean() < 0.5 * ((x / 255 - grey) ** 2).mean()
    assert data.greys.shape == x.shape and data.greys.dtype == torch.uint8


def test_batches_are_drawn_from_the_greys_and_examples_are_not(blobs, monkeypatch):
    monkeypatch.setattr(soften, "STEPS", 30)
    data = nacre.load_data(blobs[1][:200], split="all", soften=0.5)
    index = torch.arange(200)
    drawn = torch.stack([data.batch(index).x for _ in range(200)])
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert (drawn.mean(0) - data.greys / 255).abs().mean() < 0.03
    assert torch.equal(data.examples().x, torch.from_numpy(blobs[1][:200]).float() / 255)
    assert torch.equal(data.examples(5, seed=1).x, nacre.load_data(blobs[1][:200]).examples(5, seed=1).x)
    few = data.subset(torch.arange(50))
    assert len(few.greys) == 50 and few.soften == 0.5
    again = nacre.load_data(blobs[1][:200], split="all", soften=0.5)
    state = torch.random.get_rng_state()
    assert torch.equal(again.greys, data.greys)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_pixel_never_sees_itself(blobs):
    neighbours = soften.Neighbours((1, 12, 12))
    x = torch.rand(1, 1, 12, 12)
    other = x.clone()
    other[0, 0, 7, 4] = 1 - x[0, 0, 7, 4]
    changed = neighbours.probabilities(x) != neighbours.probabilities(other)
    assert not changed[0, 0, 7, 4]
    assert changed[0, 0, 5:10, 2:7].sum() == 24 and changed.sum() == 24


def test_a_run_remembers_it_and_is_judged_by_the_images_themselves(blobs, tmp_path, monkeypatch):
    monkeypatch.setattr(soften, "STEPS", 5)
    np.savez(tmp_path / "blobs.npz", x=blobs[1][:300])
    flags = ["--soften", "0.5", "--steps", "3", "--latent", "2", "--hidden", "8", "--network", "dense"]
    main(["train", "vae", str(tmp_path / "blobs.npz"), *flags, "--out", str(tmp_path / "run"), "--no-progress"])
    assert json.loads((tmp_path / "run" / "run.json").read_text())["data"]["data"]["soften"] == 0.5
    data = nacre.load_data(str(tmp_path / "blobs.npz"), soften=0.5)
    test = data.sibling("test")
    assert type(data) is SoftenedData and type(test) is not SoftenedData
    assert data.fingerprint == nacre.load_data(str(tmp_path / "blobs.npz")).fingerprint


@pytest.mark.parametrize(
    ("source", "share", "said"),
    [("digits", 0.5, "nothing but 0 and 1"), ("ring", 0.5, "nothing but 0 and 1"), ("digits", 1.5, "must lie in")],
)
def test_what_cannot_be_softened_is_refused(source, share, said):
    with pytest.raises(NacreError, match=said):
        nacre.load_data(source, soften=share)
