"""Tables of numbers and names: trained, sampled, written, filled in and judged."""

import numpy as np
import pandas as pd
import pytest
import torch

import nacre
from nacre.cli.main import main
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.impute import impute
from nacre.nets.table import TableLikelihood


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """3,000 rows in which pay follows from age, and only smiths have a bonus, with holes."""
    rng = np.random.default_rng(0)
    n = 3_000
    job = rng.choice(["cook", "smith", "tailor"], n, p=[0.5, 0.3, 0.2])
    age = rng.integers(20, 65, n)
    bonus = np.where(job == "smith", 50 + rng.exponential(100, n), 0.0)
    pay = np.where((age > 45) ^ (rng.random(n) < 0.05), "high", "low")
    frame = pd.DataFrame({"job": job, "age": age.astype(float), "bonus": bonus, "pay": pay})
    frame.loc[rng.random(n) < 0.1, "job"] = None
    frame.loc[rng.random(n) < 0.1, "age"] = np.nan
    path = tmp_path_factory.mktemp("tables") / "pay.csv"
    frame.to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "pay"
    flags = ["--label", "pay", "--steps", "1200", "--latent", "8", "--hidden", "64", "64", "--batch-size", "200"]
    assert main(["train", "tabular-vae", table, *flags, "--no-progress", "--out", str(out)]) == 0
    return out


def test_samples_have_the_columns_shares_gaps_and_spikes(run, table):
    data = nacre.load_data(table, label="pay")
    x, real = nacre.load(run).sample(4_000, seed=0), data.examples().x
    job, age, bonus = x.unbind(1)
    shares = job[job.isfinite()].long().bincount(minlength=3) / job.isfinite().sum()
    assert torch.allclose(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.06)
    assert job.isnan().float().mean() == pytest.approx(0.1, abs=0.06)
    assert (bonus == 0).float().mean() == pytest.approx(0.7, abs=0.06)
    known = age[age.isfinite()]
    assert (known == known.round()).all() and known.min() >= 20 and known.max() <= 64
    assert known.mean() == pytest.approx(float(real[:, 1].nanmean()), abs=2.0)


def test_labels_and_columns_belong_together(run):
    """Those asked to earn much are old, and a bonus goes with a smith."""
    model = nacre.load(run)
    labels = torch.arange(2).repeat(1_500)
    x = model.sample(3_000, seed=1, labels=labels)
    much = labels == model.spec.classes.index("high")
    right = ((x[:, 1] > 45) == much)[x[:, 1].isfinite()]
    assert right.float().mean() > 0.9  # 0.95 of the data
    right = ((x[:, 0] == 1) == (x[:, 2] > 0))[x[:, 0].isfinite()]
    assert right.float().mean() > 0.85


def test_a_table_comes_back_with_its_names(run, tmp_path, capsys):
    out = tmp_path / "new.csv"
    assert main(["sample", str(run), "-n", "50", "--seed", "0", "--label", "low", "--out", str(out)]) == 0
    frame = pd.read_csv(out)
    assert list(frame.columns) == ["job", "age", "bonus", "pay"] and set(frame["pay"]) == {"low"}
    assert set(frame["job"].dropna()) <= {"cook", "smith", "tailor"}
    assert main(["inpaint", str(run), "--columns", "job", "age", "-n", "40", "--steps", "5"]) == 0
    assert "right of" in capsys.readouterr().out


def test_filled_in_rows_have_no_holes(run, table):
    data = nacre.load_data(table, label="pay")
    x = data.examples(200).x
    filled = impute(nacre.load(run), x, steps=3)
    assert x.isnan().any() and not filled.isnan().any()
    known = x.isfinite()
    assert torch.equal(filled[known], x[known])


def test_tables_are_judged_by_the_yardstick(run, table):
    report = nacre.evaluate(run, nacre.load_data(table, label="pay"), ["frechet", "usefulness", "elbo"], n=1_000)
    assert report.get("train_on_generated").value > 0.8 * report.get("train_on_generated").references["real"]
    assert all(np.isfinite(result.value) for result in report)


def test_numbers_alone_and_images_will_do_too():
    model = nacre.train("tabular-vae", "swiss-roll", steps=400, latent=2, hidden=(64,), batch_size=256, progress=False)
    real = nacre.load_data("swiss-roll").examples(2_000).x
    x = model.sample(2_000, seed=0)
    assert torch.allclose(x.std(0), real.std(0), rtol=0.2)


def test_what_the_training_part_never_missed_counts_for_nothing_where_it_is_missing():
    """The density of the other columns alone; numbers of categories that do not exist are refused."""
    spec = Spec((2,), columns=("a", "b"), categories=(("x", "y"), ("p", "q", "r")))
    likelihood, h = TableLikelihood(spec), torch.randn(1, 5)
    found = likelihood.nll(h, torch.tensor([[torch.nan, 1.0]]))
    assert torch.allclose(found, torch.nn.functional.cross_entropy(20 * (h / 20).tanh()[:, 2:], torch.tensor([1])))
    model = nacre.create("tabular-vae", spec, latent=1, hidden=(4,))
    with pytest.raises(NacreError, match="a has numbers of categories that do not exist; there are 2"):
        model.score_samples(torch.tensor([[2.0, 0.0]]))
    with pytest.raises(NacreError, match="missing values"):
        nacre.create("vae", Spec((2,)), latent=1, hidden=(4,)).encode(torch.tensor([[torch.nan, 0.0]]))


def test_a_column_that_is_never_known_trains():
    spec = Spec((2,), columns=("a", "b"), center=(3.0, 1.0), scale=(1.0, 1.0), missing=("a",))
    x = torch.stack([torch.full((40,), torch.nan), torch.randn(40)], 1)
    model = nacre.create("tabular-vae", spec, latent=1, hidden=(4,))
    model.fit(Data(x, spec=spec), steps=3, progress=False)
    assert impute(model, x[:5], steps=2)[:, 0].tolist() == [3.0] * 5
