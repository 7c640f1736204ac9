"""`nacre evaluate` of runs and samples, what it keeps, and what `nacre compare` says of several runs."""

import json
import shutil

import numpy as np
import pytest

import nacre
from nacre.cli.evaluate import print_reports
from nacre.cli.main import main
from nacre.engine.run import RunFolder
from nacre.metrics.result import Report, Result


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, seed in (("vae", 0), ("twin", 1)):
        nacre.train("vae", "digits", steps=20, seed=seed, out=folder / name, hidden=(16,), latent=4, progress=False)
    return folder


@pytest.fixture
def runs(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "cache"))
    return shutil.copytree(trained, tmp_path / "runs")


def evaluate(*words):
    return main(["evaluate", *map(str, words)])


def names(run):
    return [row["name"] for row in json.loads((run / "report.json").read_text())["metrics"]]


def test_evaluating_one_metric_keeps_the_others(runs, capsys):
    run = runs / "vae"
    assert evaluate(run, "--metrics", "elbo", "-n", 100, "--seed", 3) == 0
    assert evaluate(run, "--metrics", "reconstruction", "-n", 50) == 0
    assert names(run) == ["reconstruction", "elbo", "distortion", "rate", "active_units"]
    report = nacre.metrics.Report.from_dict(json.loads((run / "report.json").read_text()))
    assert (report.get("elbo").protocol.seed, report.get("elbo").protocol.n_real) == (3, 100)
    assert (report.get("reconstruction").protocol.seed, report.get("reconstruction").protocol.n_real) == (0, 50)
    assert "| elbo |" in (run / "MODEL_CARD.md").read_text()
    capsys.readouterr()

    assert evaluate(run, "--metrics", "elbo", "-n", 50, "--json") == 0
    said = json.loads(capsys.readouterr().out)["metrics"]
    assert said[0]["name"] == "elbo"
    assert said[0]["seconds"] > 0
    assert sorted(names(run)) == sorted(["elbo", "distortion", "rate", "active_units", "reconstruction"])


def test_numbers_of_other_weights_are_dropped(runs):
    run = runs / "vae"
    evaluate(run, "--metrics", "elbo", "-n", 50)
    nacre.train("vae", "digits", steps=22, seed=0, out=run, resume=True, hidden=(16,), latent=4, progress=False)
    evaluate(run, "--metrics", "reconstruction", "-n", 50)
    assert names(run) == ["reconstruction"]


def test_a_report_of_an_older_version_is_read(runs, capsys):
    old = {"metrics": [{"name": "elbo", "value": -9.0, "better": "higher", "protocol": {"data": "digits"}}], "n": 50}
    (runs / "vae" / "report.json").write_text(json.dumps(old))
    assert evaluate(runs / "twin", "--metrics", "reconstruction", "-n", 50) == 0
    capsys.readouterr()
    assert main(["compare", str(runs / "vae"), str(runs / "twin"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["runs"]["vae"]["metrics"][0]["value"] == -9.0
    assert said["verdicts"]["elbo"]["best"] == []


@pytest.mark.parametrize("content", ["{", "[]", '{"metrics": [{"name": "elbo"}]}', '{"metrics": 3}'])
def test_a_damaged_report_is_said_before_the_work(runs, capsys, content):
    (runs / "vae" / "report.json").write_text(content)
    assert evaluate(runs / "vae", "--metrics", "elbo", "-n", 50) == 2
    assert main(["compare", str(runs / "vae")]) == 2
    assert capsys.readouterr().err.count("report.json is damaged") == 2
    assert (runs / "vae" / "report.json").read_text() == content


def test_a_log_that_was_cut_off_is_read_and_a_damaged_one_said(runs, capsys):
    evaluate(runs / "vae", "--metrics", "elbo", "-n", 50)
    log = runs / "vae" / "log.jsonl"
    whole = log.read_text()
    log.write_text(whole + '{"step": 2')
    assert main(["compare", str(runs / "vae")]) == 0
    log.write_text(whole + "step\n")
    assert main(["compare", str(runs / "vae")]) == 2
    assert "log.jsonl is damaged" in capsys.readouterr().err


def test_what_cannot_be_kept_is_shown(runs, capsys, monkeypatch):
    monkeypatch.setattr("os.access", lambda *asked: False)
    assert main(["compare", str(runs / "vae"), str(runs / "twin")]) == 2
    assert "make it writable" in capsys.readouterr().err

    def refused(path, content):
        raise nacre.NacreError("cannot write")

    monkeypatch.setattr("nacre.engine.checkpoint.write_atomically", refused)
    assert evaluate(runs / "vae", "--metrics", "reconstruction", "-n", 50) == 2
    shown = capsys.readouterr()
    assert "reconstruction" in shown.out and "cannot write" in shown.err
    assert not (runs / "vae" / "report.json").exists() and not (runs / "vae" / "pictures").exists()


def test_bars_in_a_protocol_do_not_end_a_cell_of_the_card(runs):
    evaluate(runs / "vae", "--metrics", "elbo", "-n", 50)
    row = next(line for line in (runs / "vae" / "MODEL_CARD.md").read_text().splitlines() if line.startswith("| elbo"))
    assert row.replace("\\|", "").count("|") == 4


def test_samples_are_judged_by_named_data_and_left_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "cache"))
    x = nacre.load_data("digits:test").examples(80, seed=1).x.numpy()
    np.save(tmp_path / "x.npy", x)
    flags = ("--data", "digits", "--metrics", "frechet", "-n", 80, "--features", "pixels")
    assert evaluate(tmp_path / "x.npy", *flags) == 0
    assert "frechet" in capsys.readouterr().out

    from PIL import Image

    (tmp_path / "images").mkdir()
    for i, image in enumerate(x):
        Image.fromarray((image[0] * 255).round().astype(np.uint8)).save(tmp_path / "images" / f"{i:03}.png")
    before = sorted((tmp_path / "images").iterdir())
    assert evaluate(tmp_path / "images", *flags, "--json") == 0
    assert json.loads(capsys.readouterr().out)["metrics"][0]["protocol"]["n_generated"] == 80
    assert sorted((tmp_path / "images").iterdir()) == before

    assert evaluate(tmp_path / "x.npy") == 2
    assert "is no run; to judge samples name the real data" in capsys.readouterr().err
    assert evaluate(tmp_path / "none.npy", "--data", "digits") == 2
    assert "does not exist" in capsys.readouterr().err
    assert evaluate(tmp_path / "x.npy", "--data", "ring") == 2
    assert "the samples have shape" in capsys.readouterr().err


def test_samples_judge_like_their_model(runs, tmp_path, capsys):
    run = runs / "vae"
    flags = ("--metrics", "frechet", "-n", 100, "--features", "pixels", "--json")
    evaluate(run, *flags)
    own = json.loads(capsys.readouterr().out)["metrics"][0]
    np.save(tmp_path / "x.npy", nacre.load(run).sample(100, seed=0).numpy())
    evaluate(tmp_path / "x.npy", "--data", "digits", *flags)
    given = json.loads(capsys.readouterr().out)["metrics"][0]
    assert given["value"] == pytest.approx(own["value"], rel=1e-4)
    assert given["protocol"] == own["protocol"]


def test_compare_says_what_the_intervals_allow(runs, capsys):
    shutil.rmtree(runs / "twin")
    evaluate(runs / "vae", "--metrics", "elbo", "-n", 60)
    shutil.copytree(runs / "vae", runs / "twin")  # the same weights, so that every interval is shared
    capsys.readouterr()
    assert main(["compare", str(runs / "vae"), str(runs / "twin")]) == 0
    assert "no significant difference: elbo" in capsys.readouterr().out
    assert main(["compare", str(runs / "vae"), str(runs / "twin"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verdicts"]["elbo"] == {
        "best": ["vae", "twin"], "significant": False, "text": "no significant difference",
    }  # fmt: skip
    assert said["verdicts"]["rate"]["text"] == ""  # no direction is better
    assert list(said["runs"]) == ["vae", "twin"]
    page = (runs / "compare.html").read_text()
    assert '<small class="verdict">no significant difference</small>' in page


def test_compare_evaluates_as_the_others_were_and_refuses_a_mixture(runs, capsys, monkeypatch):
    evaluate(runs / "vae", "--metrics", "elbo", "-n", 60, "--seed", 4)
    asked = {}

    def judge(run, data="", metrics=(), **options):
        asked[run] = options
        return Report()

    with monkeypatch.context() as patch:
        patch.setattr("nacre.cli.evaluate.judge", judge)
        main(["compare", str(runs / "vae"), str(runs / "twin")])
    assert asked == {str(runs / "twin"): {"n": 60, "seed": 4, "features": "data", "draws": 100}}

    evaluate(runs / "twin", "--metrics", "elbo", "-n", 50, "--seed", 4)
    capsys.readouterr()
    assert main(["compare", str(runs / "vae"), str(runs / "twin")]) == 2
    said = capsys.readouterr().err
    assert "evaluated with different --n (vae with 60, twin with 50)" in said


def test_the_page_shows_the_best_weights(runs):
    run = RunFolder(runs / "vae")
    content = {**run.config, "best": {"metric": "frechet", "step": 1200, "value": 2.0}}
    (run.path / "run.json").write_text(json.dumps(content))
    from nacre.report import write_report

    write_report([run], runs / "page.html")
    assert "of step 1,200, the best by frechet" in (runs / "page.html").read_text()


def test_the_table_has_references_and_warnings_below(capsys):
    one = Result("m", 1.5, "nats", "lower", interval=(1.0, 2.0), references={"floor": 0.5}, warnings=("mind [this].",))
    print_reports({"a": Report([one]), "b": Report([Result("m", 3.0, "nats", "lower", interval=(2.5, 3.5))])})
    out = capsys.readouterr().out
    assert "1.5 ± 0.5" in out
    assert "m: floor 0.5\n" in out
    assert "warning: a: mind [this].\n" in out
    assert "a is best: m" in out
    assert "↓ m" in out


def test_references_that_differ_are_given_for_each_run(capsys):
    each = {label: Result("m", 1.0, references={"floor": 0.5, "PCA": pca}) for label, pca in (("a", 0.7), ("b", 0.9))}
    print_reports({label: Report([result]) for label, result in each.items()})
    assert "m: floor 0.5 · PCA 0.7 (a) · PCA 0.9 (b)\n" in capsys.readouterr().out
