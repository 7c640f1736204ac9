import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

import nacre
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.metrics import METRIC_OF, Report, find, names
from nacre.metrics.context import Context, draw_examples
from nacre.metrics.given import subject
from nacre.metrics.result import Result
from nacre.report.meanings import HEADINGS

ATTRIBUTE_ERRORS = {"thickness_error", "slant_error", "ink_error"}


def test_every_file_is_a_metric():
    assert {"elbo", "frechet", "log_likelihood", "modes", "rarest_class", "reconstruction"} <= set(names())
    assert all({"obstacle", "measure", "CHEAP"} <= set(dir(find(name))) for name in names())


def test_the_name_of_a_result_leads_to_its_metric():
    assert set(METRIC_OF.values()) <= set(names()) and not set(METRIC_OF) & set(names())
    assert set(METRIC_OF) <= {result for results in HEADINGS.values() for result in results} | ATTRIBUTE_ERRORS
    for result, metric in {
        "precision": "precision_recall",
        "probe_100": "representation",
        "knn-all": "representation",
    }.items():
        with pytest.raises(NacreError, match=f"{result} is a result of the metric {metric}; use {metric}"):
            find(result)


def test_everything_that_applies_is_measured(vae):
    report = nacre.evaluate(vae, "digits", n=500)
    assert {"elbo", "frechet", "log_likelihood", "rarest_class", "reconstruction"} <= {r.name for r in report}
    assert "modes" not in {r.name for r in report}
    assert {(r.protocol.data, r.protocol.split, r.protocol.seed) for r in report} == {("digits", "test", 0)}
    assert all(r.seconds > 0 and (r.protocol.n_real or r.protocol.n_generated) for r in report)
    assert report.get("log_likelihood").value > report.get("elbo").value
    assert report.get("reconstruction").value < report.get("reconstruction").references["the mean example"]


def test_seeds_reproduce_and_the_random_state_stays(vae):
    before = torch.get_rng_state()
    metrics = ["elbo", "frechet", "kernel-distance", "log-likelihood", "memorisation", "precision-recall", "two-sample"]
    first, again = (nacre.evaluate(vae, "digits", metrics, n=300, seed=2) for _ in range(2))
    assert first == again
    assert torch.equal(before, torch.get_rng_state())
    assert nacre.evaluate(vae, "digits", ["elbo"], n=300, seed=3) != nacre.evaluate(
        vae, "digits", ["elbo"], n=300, seed=2
    )


def test_quick_measures_only_what_is_cheap(vae):
    report = nacre.evaluate(vae, "digits", quick=True)
    assert {"elbo", "frechet", "rarest_class", "reconstruction"} <= {r.name for r in report}
    assert "log_likelihood" not in {r.name for r in report}
    assert report.get("frechet").protocol.n_generated == 1000


def test_a_machine_is_scored_exactly(rbm):
    (result,) = nacre.evaluate(rbm, "digits", ["log-likelihood"])
    assert "log Z exact" in result.protocol.method
    assert -30 < result.value < -20
    assert "log_z" in json.dumps(result.to_dict(), allow_nan=False)


def test_held_out_data_are_used_where_there_are_some(vae, digits):
    assert "360 of digits:test" in str(nacre.evaluate(vae, digits, ["elbo"])[0].protocol)
    array = nacre.evaluate(vae, digits.examples(50).x, ["elbo", "frechet"])
    assert "50 of array:all (perhaps seen in training)" in str(array[0].protocol)
    assert array.get("frechet").details["n_floor"] == [25, 25]


def test_data_seen_in_training_are_called_so(vae, digits, tmp_path):
    result = nacre.evaluate(vae, seen(digits), ["elbo"]).get("elbo")
    assert "array:train (seen in training)" in str(result.protocol)
    test = digits.sibling("test")
    model = nacre.train("ae", test, steps=2, progress=False)
    model.save_pretrained(tmp_path)
    for judged in (model, nacre.load(tmp_path)):
        (result,) = nacre.evaluate(judged, test, ["reconstruction"])
        assert result.protocol.split == "test (seen in training)"
        assert "was trained on the very data" in result.warnings[0]
    assert not nacre.evaluate(vae, test, ["reconstruction"])[0].warnings


def seen(digits):
    data = digits.subset(torch.arange(100))
    data.reload, data.name = None, ""
    return data


def test_a_lost_class_is_seen(vae, digits, monkeypatch):
    real = digits.examples()
    monkeypatch.setattr(type(vae), "sample", lambda self, n, seed=None: real.x[real.y != 3])
    result, _ = nacre.evaluate(vae, digits, ["rarest_class"])
    assert result.value < 0.1
    assert result.details["class"] == "3"
    monkeypatch.setattr(type(vae), "sample", lambda self, n, seed=None: real.x)
    assert nacre.evaluate(vae, digits, ["rarest_class"])[0].value > 0.95


def test_mistakes_are_named_in_one_sentence(vae, rbm):
    with pytest.raises(NacreError, match="did you mean frechet"):
        nacre.evaluate(vae, "digits", ["frechett"])
    with pytest.raises(NacreError, match=r"rbm cannot be judged by elbo here: it has no variational bound\."):
        nacre.evaluate(rbm, "digits", ["elbo"])
    with pytest.raises(NacreError, match="like those it was trained on"):
        nacre.evaluate(vae, "ring")
    with pytest.raises(NacreError, match="at least 2"):
        nacre.evaluate(vae, "digits", n=0)
    with pytest.raises(NacreError, match="there is no result"):
        nacre.evaluate(vae, "digits", ["elbo"]).get("frechet")


def test_samples_that_are_not_finite_are_refused(vae, monkeypatch):
    monkeypatch.setattr(type(vae), "sample", lambda self, n, seed=None: torch.full((n, 1, 8, 8), torch.nan))
    with pytest.raises(NacreError, match="NaN"):
        nacre.evaluate(vae, "digits", ["frechet"])


def test_the_first_of_the_real_examples_are_no_first_rows():
    """Metrics that take the first few must not get one class of a set that is sorted."""
    x = torch.arange(300.0)[:, None].repeat(1, 2)
    data = Data(x, torch.arange(300) // 100, spec=Spec((2,), kind="vector", classes=("a", "b", "c")))
    for n in (300, 10_000):
        real = Context(nacre.create("vae", data.spec, latent=1, hidden=(4,)), data, n=n).real
        assert sorted(real.x[:, 0].tolist()) == x[:, 0].tolist()
        assert torch.equal(real.y, real.x[:, 0].long() // 100)
        assert real.y[:60].bincount(minlength=3).min() > 10
        assert draw_examples(data, n, 0).y[:60].bincount(minlength=3).min() > 10


def test_a_report_survives_json(vae):
    report = nacre.evaluate(vae, "digits", ["elbo", "reconstruction"])
    assert Report.from_dict(json.loads(report.to_json())) == report
    assert "elbo" in str(report)


def test_numbers_that_are_not_finite_are_null_in_json():
    result = Result("a", math.nan, interval=(-math.inf, 1.0), references={"b": math.inf}, details={"c": [math.nan, 1]})
    text = Report([result]).to_json()
    (row,) = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["metrics"]
    assert (row["value"], row["interval"], row["references"]) == (None, [None, 1.0], {"b": None})
    assert row["details"] == {"c": [None, 1]}
    (again,) = Report.from_dict(json.loads(text))
    assert math.isnan(again.value)
    assert math.isnan(again.references["b"])


def test_evaluation_during_training_is_logged(tmp_path):
    nacre.train("vae", "digits", steps=4, eval_every=2, out=tmp_path / "run", progress=False)
    records = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    logged = [record["metrics"] for record in records if "metrics" in record]
    assert len(logged) == 2
    assert {"elbo", "frechet"} <= set(logged[0])


@pytest.fixture
def pets(tmp_path):
    """A table of numbers and categories with labels, and its folder."""
    generator = torch.Generator().manual_seed(0)
    kind = torch.randint(3, (2000,), generator=generator).tolist()
    weight = torch.rand(2000, generator=generator).add(torch.tensor(kind)).tolist()
    table = pd.DataFrame(
        {"weight": weight, "kind": [["cat", "dog", None][k] for k in kind], "wild": [k > 1 for k in kind]}
    )
    table["wild"] = table["wild"].map({True: "yes", False: "no"})
    table.to_csv(tmp_path / "pets.csv", index=False)
    return table, tmp_path


def test_a_table_of_samples_may_have_its_columns_in_another_order_and_only_some_categories(pets):
    table, folder = pets
    data = nacre.load_data(str(folder / "pets.csv"), label="wild")
    table[table.kind != "cat"][["wild", "kind", "weight"]].to_parquet(folder / "samples.parquet", index=False)
    given = subject(folder / "samples.parquet", data)
    dog = data.spec.categories[data.spec.columns.index("kind")].index("dog")
    x = given.sample(600)
    kinds = x[:, data.spec.columns.index("kind")]
    assert set(kinds[~kinds.isnan()].tolist()) == {dog}
    assert x[:, data.spec.columns.index("weight")].min() > 1
    assert {"train_on_generated", "two_sample"} <= {
        result.name for result in nacre.evaluate(folder / "samples.parquet", data, ["usefulness", "two_sample"])
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="weight"), "do not share the columns weight"),
        (lambda t: t.assign(kind="fish"), "holds 'fish'"),
        (lambda t: t.assign(weight="heavy"), "holds categories, such as 'heavy', where that of the data holds numbers"),
        (lambda t: t.assign(wild="perhaps"), "there is no label 'perhaps'"),
    ],
)
def test_a_table_of_samples_of_other_columns_or_categories_is_refused(pets, change, words):
    table, folder = pets
    change(table).to_csv(folder / "samples.csv", index=False)
    with pytest.raises(NacreError, match=words):
        nacre.evaluate(folder / "samples.csv", nacre.load_data(str(folder / "pets.csv"), label="wild"), ["two_sample"])


def test_samples_are_judged_without_their_model(vae, digits, tmp_path):
    x = vae.sample(400, seed=1)
    np.save(tmp_path / "samples.npy", x.numpy())
    reports = [nacre.evaluate(samples, "digits", ["frechet"]) for samples in (x, str(tmp_path / "samples.npy"))]
    assert reports[0] == reports[1]
    assert reports[0][0].protocol.n_generated == 400
    with pytest.raises(NacreError, match=r"samples cannot be judged by elbo here"):
        nacre.evaluate(x, "digits", ["elbo"])
    with pytest.raises(NacreError, match="the samples have shape"):
        nacre.evaluate(x[:, :, :4], "digits")


def test_a_run_folder_is_judged_by_its_name(tmp_path):
    run = tmp_path / "run"
    model = nacre.train("vae", "digits", steps=4, out=run, progress=False)
    assert nacre.evaluate(run, "digits", ["elbo"]) == nacre.evaluate(model, "digits", ["elbo"])


def test_reconstruction_of_a_table_counts_what_is_known(table_model):
    model, data = table_model
    (found,) = nacre.evaluate(model, data, ["reconstruction"])
    x = data.sibling("test").examples(10_000, 0).x
    y = model.reconstruct(x, seed=0)
    number = ((x[:, 0] - y[:, 0]) / data.spec.scale[0]).square()
    wrong = (x[:, 1] != y[:, 1]).float()
    each = [torch.stack(parts)[torch.stack(parts).isfinite()].mean() for parts in zip(number, wrong, strict=True)]
    assert found.value == pytest.approx(float(torch.stack(each).mean()), rel=1e-5)
    assert 0.2 < found.references["the mean example"] < 1.2 and "categories wrong" in found.unit


@pytest.fixture
def table_model():
    rng = np.random.default_rng(0)
    heights = np.where(rng.random(200) < 0.2, np.nan, 1000 + 50 * rng.normal(size=200))
    data = nacre.load_data(
        pd.DataFrame({"height": heights, "city": rng.choice(["Aachen", "Bonn"], 200)}), split="train"
    )
    return nacre.train("tabular-vae", data, steps=20, latent=2, hidden=(8,), batch_size=50, progress=False), data


def test_reconstruction_weighs_columns_alike_whatever_their_units():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2)).astype(np.float32)
    found = []
    for units in ((1, 1), (1, 1e4)):
        model = nacre.train("ae", x * np.float32(units), latent=1, hidden=(), steps=50, seed=0, progress=False)
        found.append(nacre.evaluate(model, x[:100] * np.float32(units), ["reconstruction"]).get("reconstruction"))
    assert found[1].value == pytest.approx(found[0].value, rel=0.05)
    assert found[0].references["the mean example"] == pytest.approx(1, abs=0.3)
    assert found[0].unit == "variances per value"


def test_reconstruction_counts_what_is_known_where_only_held_out_rows_have_gaps():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(200, 3)).astype(np.float32))
    model = nacre.train("tabular-vae", x, steps=20, latent=2, hidden=(8,), batch_size=50, progress=False)
    holes = x.clone()
    holes[:50, 1] = torch.nan
    found = nacre.evaluate(model, Data(holes, spec=model.spec), ["reconstruction"]).get("reconstruction")
    assert math.isfinite(found.value) and "variances" in found.unit
