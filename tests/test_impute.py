"""Filling in missing values, against the exact conditional of a linear Gaussian model, and finding strange examples."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import nacre
from nacre.anomaly import scores
from nacre.cli.main import main
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.impute import impute, region
from nacre.models.autoencoders.vae import VAE

TABLE = Spec((3,), columns=("a", "b", "c"))


def exact_vae() -> tuple[VAE, torch.Tensor]:
    """A VAE of x = w z + noise of variance 0.1 whose encoder is the exact posterior, and the covariance of x."""
    torch.manual_seed(0)
    model = VAE(TABLE, latent=1, hidden=())
    w, s = torch.tensor([1.0, -2.0, 0.5]), 0.1
    precision = float(w.square().sum()) / s + 1
    with torch.no_grad():
        model.decoder[0].weight.copy_(w[:, None])
        model.decoder[0].bias.zero_()
        model.encoder[1].weight.copy_(torch.stack([w / s / precision, torch.zeros(3)]))
        model.encoder[1].bias.copy_(torch.tensor([0.0, -np.log(precision)]))
        model.likelihood.logvar.fill_(np.log(s))
    return model, w[:, None] * w + s * torch.eye(3)


def test_the_chain_finds_the_conditional_mean():
    model, covariance = exact_vae()
    x = torch.tensor([[0.8, torch.nan, torch.nan]]).repeat(4000, 1)
    filled = impute(model, x, steps=200, seed=1)
    assert torch.equal(filled[:, 0], x[:, 0])
    expected = covariance[1:, 0] / covariance[0, 0] * 0.8
    error = filled[:, 1:].std(0) / 4000**0.5
    # The chain redraws the mean of p(x|z), without its noise, so that its stationary point is near and not exact.
    assert ((filled[:, 1:].mean(0) - expected).abs() < 5 * error + 0.12 * expected.abs()).all()


def test_what_is_known_stays_and_seeds_repeat():
    digits = nacre.load_data("digits")
    model = nacre.train("vae", digits, steps=200, hidden=(64,), latent=8, progress=False)
    x = digits.sibling("test").examples(50).x
    gone = region("bottom", digits.spec.shape)
    first, again, other = (impute(model, x, gone, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(first[..., :4, :], x[..., :4, :])
    middle = torch.full_like(x, float(digits.examples().x.mean()))
    assert (first - x)[..., 4:, :].square().mean() < 0.6 * (middle - x)[..., 4:, :].square().mean()


@pytest.mark.parametrize("name", ["stacked-ae", "rbm", "ladder-vae", "vq-vae"])
def test_every_model_with_an_encoder_fills_in(name):
    digits = nacre.load_data("digits")
    model = nacre.train(name, digits, steps=2, progress=False)
    x = digits.examples(3).x
    filled = impute(model, x, region("center", digits.spec.shape), steps=3)
    assert filled.shape == x.shape and torch.isfinite(filled).all()
    assert torch.equal(filled[..., 0], x[..., 0])


def test_regions():
    shape = (1, 8, 6)
    assert {name: int(region(name, shape).sum()) for name in ("top", "bottom", "left", "right", "center")} == {
        "top": 24, "bottom": 24, "left": 24, "right": 24, "center": 16}  # fmt: skip
    assert 8 < int(region("random:0.5", shape).sum()) < 40
    for bad in ("random:2", "random", "middle"):
        with pytest.raises(NacreError, match="mask"):
            region(bad, shape)
    gan = nacre.create("gan", TABLE)
    with pytest.raises(NacreError, match="no encoder"):
        impute(gan, torch.zeros(2, 3))
    with pytest.raises(NacreError, match="does not fit"):
        impute(exact_vae()[0], torch.zeros(2, 3), torch.zeros(5, 3))
    with pytest.raises(NacreError, match="cannot score"):
        scores(gan, torch.zeros(2, 3))


def test_strange_examples_score_lower():
    digits = nacre.load_data("digits")
    real = digits.sibling("test").examples(100).x
    strange = real.flatten(2)[..., torch.randperm(64, generator=torch.Generator().manual_seed(0))].view_as(real)
    for name in ("vae", "ae"):
        model = nacre.train(name, digits, steps=300, progress=False)
        both = scores(model, torch.cat([real, strange]))
        order = both.argsort()[:100]
        assert (order >= 100).float().mean() > 0.9


def test_the_verbs(tmp_path, capsys):
    run = str(tmp_path / "run")
    nacre.train("vae", "digits", steps=5, hidden=(8,), out=run, progress=False)
    assert main(["inpaint", run, "--mask", "left", "-n", "4", "--steps", "2"]) == 0
    assert (tmp_path / "run" / "inpainted.png").stat().st_size > 0
    assert main(["inpaint", run, "-n", "4", "--steps", "2", "--out", str(tmp_path / "x.npy")]) == 0
    assert np.load(tmp_path / "x.npy").shape == (4, 1, 8, 8)
    assert main(["score", run, "-n", "5", "--draws", "2", "--out", str(tmp_path / "s.csv")]) == 0
    assert (tmp_path / "run" / "anomalies.png").exists()
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 361
    capsys.readouterr()
    assert main(["inpaint", run, "--mask", "middle"]) == 2
    assert main(["inpaint", run, "-n", "0"]) == 2
    assert main(["score", run, "-n", "0"]) == 2
    assert capsys.readouterr().err.count("\n") == 3


def test_columns_of_a_table(tmp_path, capsys):
    rows = np.random.default_rng(0).normal(size=(60, 3))
    np.savetxt(tmp_path / "t.csv", rows, delimiter=",", header="a,b,c", comments="")
    run = str(tmp_path / "run")
    nacre.train("vae", str(tmp_path / "t.csv"), steps=5, batch_size=10, hidden=(8,), out=run, progress=False)
    capsys.readouterr()
    assert main(["inpaint", run, "--columns", "b", "-n", "4"]) == 0
    assert capsys.readouterr().out.startswith("b: mean absolute error")
    assert main(["inpaint", run, "--columns", "d"]) == 2
    assert "there is no column 'd'; there are a, b, c." in capsys.readouterr().err


def test_bytes_are_taken_as_encode_takes_them():
    grey = nacre.create("ae", Spec.image(1, 4, 4), latent=2, hidden=(8,), network="dense")
    x = torch.randint(0, 256, (3, 1, 4, 4), dtype=torch.uint8)
    gone = torch.zeros(4, 4, dtype=torch.bool)
    gone[0] = True
    assert torch.equal(impute(grey, x, gone, steps=2)[..., 1:, :], x[..., 1:, :] / 255)
    assert torch.equal(scores(grey, x), scores(grey, x / 255))
    binary = VAE(Spec.image(1, 4, 4, binary=True), latent=2, hidden=(8,), network="dense")
    ones = torch.ones(3, 1, 4, 4, dtype=torch.uint8)
    assert torch.equal(impute(binary, ones, gone, steps=2)[..., 1:, :], ones[..., 1:, :].float())


def test_what_is_missing_of_a_whole_table_is_filled_in_and_the_rest_stays_in_its_order(tmp_path, capsys):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60).round(3), "b": rng.choice(["x", "y"], 60), "label": [0, 1] * 30})
    frame.loc[::7, "a"], frame.loc[3::9, "b"] = np.nan, None
    frame.insert(0, "id", [f"{10**9 + i}" for i in range(60)])
    frame.to_csv(tmp_path / "t.csv", index=False)
    run, source, full = str(tmp_path / "run"), str(tmp_path / "t.csv"), tmp_path / "full.csv"
    data = nacre.load_data(source, drop=("id",))
    nacre.train("tabular-vae", data, steps=5, batch_size=10, hidden=(8,), out=run, progress=False)
    capsys.readouterr()
    assert main(["inpaint", run, source, "--out", str(full)]) == 0
    assert "filled in 16 missing values of 60 rows: 9 of a, 7 of b" in capsys.readouterr().out
    filled, before = (pd.read_csv(path, dtype=str) for path in (full, source))
    assert not filled.isna().to_numpy().any() and list(filled) == list(before)
    assert before.where(before.notna(), filled).equals(filled)  # what was known is as it was written, the id too
    assert set(filled["b"]) == {"x", "y"} and np.isfinite(filled["a"].astype(float)).all()
    assert main(["reconstruct", run, source, "--out", str(tmp_path / "back.csv")]) == 0
    assert (pd.read_csv(tmp_path / "back.csv")["label"] == frame["label"]).all()
    assert main(["inpaint", run, source, "-n", "5", "--out", str(tmp_path / "few.csv")]) == 0
    assert len(pd.read_csv(tmp_path / "few.csv")) == 5
    frame.dropna().to_csv(tmp_path / "known.csv", index=False)
    capsys.readouterr()
    assert main(["inpaint", run, str(tmp_path / "known.csv")]) == 2
    assert "nothing is missing of these rows" in capsys.readouterr().err
    assert main(["inpaint", run, source]) == 2
    assert "--out complete.csv" in capsys.readouterr().err
    assert main(["inpaint", run, source, "--columns", "a", "--grid", str(tmp_path / "g.png")]) == 2
    assert main(["reconstruct", run, source, "--grid", str(tmp_path / "pairs.png")]) == 0
    with Image.open(tmp_path / "pairs.png") as picture:
        assert picture.width > 400


def test_strange_photos_are_named(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    for i, values in enumerate(np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)):
        Image.fromarray(values).save(tmp_path / "photos" / f"{i:02}.png")
    run, photos = str(tmp_path / "run"), str(tmp_path / "photos")
    nacre.train("ae", photos, steps=3, batch_size=5, hidden=(8,), out=run, progress=False)
    assert main(["score", run, photos, "-n", "2", "--out", str(tmp_path / "s.csv")]) == 0
    scored = pd.read_csv(tmp_path / "s.csv")
    assert list(scored) == ["score", "file"] and scored["file"][7].endswith("07.png")
    strangest = scored.sort_values("score")["file"].iloc[0]
    assert strangest in capsys.readouterr().out.splitlines()[3]
