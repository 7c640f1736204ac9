"""Recipes: how they are read and run, what is kept of them, and what the pages say."""

import json
import re
from pathlib import Path

import pytest

from nacre.cli.main import main
from nacre.data.sources import load_data
from nacre.engine.loop import Trainer
from nacre.engine.run import RunFolder
from nacre.errors import NacreError
from nacre.reproduce import ledger, pages, recipe, trial
from nacre.reproduce.recipe import Bound

ROOT = Path(__file__).resolve().parents[1]

TABLE = 10
RECIPE = """
title = "A small autoencoder of digits"
paper = "Somebody. Something. 2000."
data = "digits"
seeds = [0, 1]

[model]
name = "ae"
latent = 4
hidden = [16]

[training]
batch_size = 64
steps = 30
progress = false

[evaluation]
metrics = ["reconstruction"]

[published.reconstruction]
value = 0.03
source = "Table 1."

[tiers.ci]
budget = "a second"
expect.reconstruction.max = 1.0

[tiers.nightly]
training.steps = 3_000
expect.reconstruction = { max = 0.1, relative_to = "the mean example" }
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a recipe into the working folder, which is a temporary one, and give its path."""
    monkeypatch.chdir(tmp_path)

    def write(text=RECIPE, name="small.toml"):
        Path(name).write_text(text)
        return Path(name)

    return write


@pytest.mark.parametrize("name", recipe.names())
def test_a_shipped_recipe_fits_the_models_the_engine_and_the_yardstick(name):
    found = recipe.find(name)
    assert "ci" in found.tiers
    for settings in found.tiers.values():
        for setting in settings:
            trial.check(setting)
            assert setting.budget
            assert len(setting.seeds) >= 3 or len(settings) >= TABLE, "only a table of many runs may have one seed each"
            assert setting.training["steps"] > 0, "a budget is a number of steps"


def test_levels_add_up_and_the_later_one_wins(write):
    text = RECIPE.replace("[tiers.ci]", "[runs.narrow]\n[runs.wide]\nmodel.hidden = [99]\n\n[tiers.ci]")
    text += "[tiers.nightly.runs.wide]\nmodel.latent = 7\nseeds = [5]\n"
    found = recipe.read(write(text))
    narrow, wide = found.settings("ci")
    assert (narrow.run, narrow.model) == ("narrow", {"name": "ae", "latent": 4, "hidden": [16]})
    assert (wide.run, wide.model["hidden"], wide.budget) == ("wide", [99], "a second")
    narrow, wide = found.settings("nightly")
    assert narrow.training == {"batch_size": 64, "steps": 3000, "progress": False}
    assert (wide.model["latent"], wide.seeds, narrow.seeds) == (7, (5,), (0, 1))
    assert wide.expect == {"reconstruction": Bound(max=0.1, relative_to="the mean example")}
    assert found.settings("nightly", ("wide",)) == (wide,)
    with pytest.raises(NacreError, match="did you mean wide"):
        found.settings("ci", ("wild",))
    with pytest.raises(NacreError, match="small has no tier 'gpu'; it has ci, nightly"):
        found.settings("gpu")


def test_the_digest_is_of_what_decides_the_values(write):
    def digest(text):
        return recipe.read(write(text)).settings("ci")[0].digest

    first = digest(RECIPE)
    for same in (("max = 1.0", "max = 2.0"), ("[0, 1]", "[3]"), ("0.03", "0.5"), ("A small", "The small")):
        assert digest(RECIPE.replace(*same)) == first, same
    options = '[data_options]\nattributes = ["slant"]\n\n[model]'
    assert digest(RECIPE.replace("[model]", options)) != first
    assert digest(RECIPE.replace("[model]", "[data_options]\n\n[model]")) == first == "c473a138a890", "results carry it"
    for other in (("= 30", "= 31"), ("latent = 4", "latent = 5"), ('"digits"', '"mnist"'), ("16", "17")):
        assert digest(RECIPE.replace(*other)) != first, other


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[training]", "[trainin]", "there is no key of the file 'trainin'; did you mean training"),
        ("[tiers.ci]", "[tiers.weekly]", "there is no tier 'weekly'; use ci, nightly, gpu"),
        ('budget = "a second"', "buget = 1", "there is no key of [tiers.ci] 'buget'; did you mean budget"),
        ("expect.reconstruction.max = 1.0", "", "ci expects nothing"),
        ("max = 1.0", "maks = 1.0", "there is no key of expect.reconstruction 'maks'; did you mean max"),
        ("max = 1.0", 'max = "1"', "expect.reconstruction.max is '1'; it must be a number"),
        ("reconstruction.max = 1.0", "reconstruction.relative_to = 'x'", "expect.reconstruction has no bound"),
        ("reconstruction.max = 1.0", "reconstruction = { min = 2, max = 1 }", "a min of 2 above its max of 1"),
        ("reconstruction.max = 1.0", "reconstruction = 1.0", "it must be a table with min, max, relative_to"),
        ('source = "Table 1."', "", "published.reconstruction needs a value and a source"),
        ("seeds = [0, 1]", "", "the seeds of ci are []"),
        ("seeds = [0, 1]", "seeds = [0, 0]", "give different whole numbers"),
        ("seeds = [0, 1]", "seeds = 3", "seeds in the file is 3; it must be a list in brackets"),
        ('data = "digits"', "", "ci needs data and a model.name"),
        ('metrics = ["reconstruction"]', "", "ci needs evaluation.metrics"),
        ('title = "A small autoencoder of digits"', "", "the key title is missing"),
        ("[tiers.nightly]", "[tiers.ci.runs.wide]\n[tiers.nightly]", "there is no run 'wide'"),
        ("latent = 4", "latent 4", "is no TOML"),
        (
            "[model]",
            "[data_options]\natributes = []\n[model]",
            "no option of load_data 'atributes'; did you mean attrib",
        ),
        (
            "max = 1.0",
            "max = 1.0\nexpect.reconstruction.minus_run = 'a'",
            "there is no run for expect.reconstruction 'a'",
        ),
        (
            "max = 0.1,",
            "max = 0.1, minus_run = 'a',",
            "is relative to several things; give one of relative_to, relative",
        ),
        ("latent = 4", "latnt = 4", "there is no hyper-parameter of ae 'latnt'; did you mean latent"),
        ('name = "ae"', 'name = "aee"', "there is no model 'aee'; did you mean"),
        ("batch_size", "batch_sise", "there is no training option 'batch_sise'; did you mean batch_size"),
        ("steps = 30", "seed = 3", "training has a seed; list it in seeds"),
        ("steps = 30", 'steps = "many"', "steps is 'many'; give a number"),
        ("steps = 30", "steps = [30]", "a value in training is of the wrong type"),
        ('["reconstruction"]', '["reconstructoin"]', "there is no metric 'reconstructoin'; did you mean"),
        ("[evaluation]", "[evaluation]\ndraw = 3", "there is no option of evaluate 'draw'; did you mean draws"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_sentence_that_names_the_file(old, new, words, write, capsys):
    assert old in RECIPE
    path = write(RECIPE.replace(old, new, 1))
    assert main(["reproduce", str(path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("nacre: small.toml") and words in message
    assert message.count("\n") == 1
    assert not Path("runs").exists()


def test_a_bound_knows_how_far_a_value_is_inside():
    assert Bound(max=3).margin(2) == 1 and Bound(min=3).margin(2) == -1
    assert Bound(min=0, max=10).margin(9) == 1 and Bound(min=0, max=10).margin(-2) == -2
    for bound in (Bound(min=0), Bound(max=0), Bound(0, 1)):
        assert bound.margin(float("nan")) == -float("inf"), "no number is in no range"
    assert str(Bound(0.5, 2)) == "≥ 0.5 and ≤ 2"
    assert str(Bound(max=30, relative_to="real against real")) == "≤ 30 x real against real"


def test_a_recipe_is_run_kept_judged_and_resumed(write, capsys):
    """Two seeds of digits: first both reach the range, then only one does, without training again."""
    path = write()
    assert main(["reproduce", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "Somebody. Something. 2000." in shown and "0.03" in shown and "≤ 1 " in shown
    assert shown.count("reached") == 2
    lines = ledger.read(Path("results/small.jsonl"))
    values = [line["results"]["reconstruction"]["value"] for line in lines]
    assert [line["seed"] for line in lines] == [0, 1] and len(set(values)) == 2
    for line in lines:
        assert (line["recipe"], line["tier"], line["run"]) == ("small", "ci", "")
        assert line["reached"] == {"reconstruction": True}
        assert line["results"]["reconstruction"]["protocol"].startswith("360 of digits:test")
        assert line["results"]["reconstruction"]["references"].keys() == {"the mean example"}
        assert {"training", "training_cpu", "evaluation"} == line["seconds"].keys()
        assert {"processor", "cores", "threads", "device", "precision", "others"} == line["machine"].keys()
        assert {"nacre", "torch", "python"} == line["versions"].keys()
        assert re.fullmatch(r"[0-9a-f]{10}|", line["commit"]) and isinstance(line["dirty"], bool)
        assert re.match(r"\d{4}-\d\d-\d\dT", line["date"])

    folder = Path("runs/reproduce/small/ci/seed-0")
    trained = (folder / "model/model.safetensors").stat().st_mtime_ns
    assert main(["reproduce", str(path)]) == 2
    assert "add --resume" in capsys.readouterr().err
    between = sum(values) / 2
    write(RECIPE.replace("max = 1.0", f"max = {between}"))
    assert main(["reproduce", str(path), "--resume"]) == 1
    shown = capsys.readouterr().out
    worst = max(values)
    assert shown.index(f"{worst:.5g}") < shown.index(f"{min(values):.5g}"), "the worst seed comes first"
    assert f"MISSED by {worst - between:.3g}" in shown
    assert (folder / "model/model.safetensors").stat().st_mtime_ns == trained, "it was trained again"
    assert len(ledger.read(Path("results/small.jsonl"))) == 2, "a line was written twice"

    Path("results/small.jsonl").write_text("")
    assert main(["reproduce", str(path), "--resume", "--seeds", "0"]) in (0, 1)
    assert ledger.read(Path("results/small.jsonl")) == lines[:1], "what was killed before it was kept is kept now"

    write(RECIPE.replace("steps = 30", "steps = 31"))
    assert main(["reproduce", str(path), "--resume"]) == 2
    assert "finished, but with another recipe" in capsys.readouterr().err
    write()
    done = folder / "reproduction.json"
    done.write_text(json.dumps({**json.loads(done.read_text()), "commit": "0123456789"}))
    assert main(["reproduce", str(path), "--resume"]) == 2
    assert "finished, but with another commit" in capsys.readouterr().err


def test_a_stopped_seed_goes_on_to_the_same_numbers(write, monkeypatch, capsys):
    path = write()
    assert main(["reproduce", str(path), "--seeds", "1", "--out", "whole"]) == 0
    asked = Trainer._asked_to_stop
    monkeypatch.setattr(Trainer, "_asked_to_stop", lambda trainer: trainer.step == 17)
    assert main(["reproduce", str(path), "--seeds", "1", "--out", "cut"]) == 130
    assert "stopped at step 17 and saved; go on with the same command and --resume." in capsys.readouterr().err
    assert len(ledger.read(Path("results/small.jsonl"))) == 1, "only what was evaluated is kept"
    monkeypatch.setattr(Trainer, "_asked_to_stop", asked)
    assert main(["reproduce", str(path), "--seeds", "1", "--out", "cut", "--resume"]) == 0
    whole, cut = ledger.read(Path("results/small.jsonl"))
    assert cut["results"] == whole["results"]
    assert cut["seconds"]["training_cpu"] is None, "the first part's is not known any more"


def test_a_result_that_was_not_measured_is_named(write, capsys):
    path = write(RECIPE.replace("expect.reconstruction.max", "expect.frechet.max"))
    assert main(["reproduce", str(path), "--seeds", "0"]) == 2
    assert "there is no result of small 'frechet'; known: reconstruction" in capsys.readouterr().err


def line(seed, value, digest, **changes):
    """A line of the small recipe as `run_seed` makes it."""
    result = {
        "value": value,
        "unit": "squared error",
        "interval": None,
        "references": {"the mean example": 0.1},
        "protocol": "360 of digits:test",
    }
    made = {
        "recipe": "small",
        "tier": "ci",
        "run": "",
        "seed": seed,
        "digest": digest,
        "results": {"reconstruction": result},
        "seconds": {"training": 12.3, "training_cpu": 20.0, "evaluation": 1.0},
        "machine": {"processor": "A CPU", "cores": 2, "threads": 2, "device": "cpu", "others": 0.1},
        "versions": {"nacre": "0", "torch": "2", "python": "3"},
        "commit": "abc",
        "dirty": False,
        "date": "2026-01-02T03:04:05+00:00",
        "reached": {},
    }
    return {**made, **changes}


def test_the_pages_show_what_was_missed_and_what_was_not_run(write):
    found = recipe.read(write(RECIPE.replace("max = 1.0", "max = 0.02").replace("[0, 1]", "[0, 1, 2]")))
    setting = found.settings("ci")[0]
    for made in (
        line(0, 0.9, "an older setting"),
        line(0, 0.5, setting.digest),  # repeated below
        line(1, 0.025, setting.digest),
        line(0, 0.019, setting.digest),
        line(9, 0.001, setting.digest),  # none of the recipe's seeds
    ):
        ledger.append(found, made)
    (ci, nightly) = pages.table([found]).splitlines()[2:]
    assert ci == "| `small` | ci | reconstruction | 0.03 | ≤ 0.02 | 0.025 | 0.019 | **MISSED** by 0.005 (seed 1) |"
    assert nightly.endswith("| 0.03 | ≤ 0.1 x the mean example | - | - | not yet run |")
    page = pages.results_page([found])
    assert "| reconstruction (squared error) | 0.03 | ≤ 0.02 | 0.025 · 0.019 |" in page
    assert (
        "ci (a second): 12 s (CPU 20 s, others kept 0.1 cores busy) + 1 s · 12 s" in page
        and "2 threads of A CPU" in page
        and "2026-01-02" in page
    )
    assert "nightly: not yet run. `nacre reproduce small --tier nightly`" in page
    assert "Paper's reconstruction: 0.03. Table 1." in page and "0.9" not in page
    ledger.append(found, line(1, 0.018, setting.digest))
    assert "| reached by 2 of 3 seeds |" in pages.table([found])
    ledger.append(found, line(2, 0.017, setting.digest))
    assert "| 0.019 | 0.018 | reached |" in pages.table([found])


def test_a_bound_may_be_a_multiple_of_a_reference(write):
    found = recipe.read(write())
    setting = found.settings("nightly")[0]
    verdict = ledger.verdicts(setting, line(0, 0.02, ""))["reconstruction"]
    assert verdict == {"value": pytest.approx(0.2), "margin": pytest.approx(-0.1), "reached": False}
    ledger.append(found, line(0, 0.02, setting.digest, tier="nightly"))
    assert "| ≤ 0.1 x the mean example | 0.2 x | 0.2 x | **MISSED** by 0.1 (seed 0) |" in pages.table([found])


PAIR = RECIPE.replace("[tiers.ci]", "[runs.narrow]\n[runs.wide]\nmodel.hidden = [99]\nseeds = [0, 1, 2]\n\n[tiers.ci]")
PAIR = PAIR.partition("[tiers.nightly]")[0] + "[tiers.ci.runs.wide]\nexpect.reconstruction = { RANGE }\n"


@pytest.mark.parametrize(
    ("bound", "shown", "values", "verdict"),
    [
        ('max = -0.1, minus_run = "narrow"', "≤ -0.1 above narrow run", "+0.1 | -0.2", "**MISSED** by 0.2 (seed 1)"),
        ('max = 0.7, relative_to_run = "narrow"', "≤ 0.7 x narrow run", "1.2 x | 0.6 x", "**MISSED** by 0.5 (seed 1)"),
    ],
)
def test_a_range_may_be_relative_to_another_run_seed_by_seed(bound, shown, values, verdict, write):
    found = recipe.read(write(PAIR.replace("RANGE", bound)))
    narrow, wide = found.settings("ci")

    def add(setting, seed, value, **changes):
        ledger.append(found, line(seed, value, setting.digest, run=setting.run, **changes))

    def row():
        return pages.table([found]).splitlines()[3].partition(f"| {shown} | ")[2]

    add(wide, 0, 0.3)
    assert row() == "- | - | waits for narrow run |"
    add(narrow, 1, 0.5)
    add(narrow, 2, 0.001)
    assert row() == "- | - | waits for narrow run |", "a run is compared with the other's same seed"
    add(narrow, 0, 0.4)  # replaced below
    add(narrow, 0, 0.5)
    add(narrow, 0, 0.01, tier="nightly")
    ledger.append(found, line(0, 0.01, "an older setting", run="narrow"))
    assert row().endswith("| reached by 1 of 3 seeds |")
    add(wide, 1, 0.6)
    assert row() == f"{values} | {verdict} |"
    assert "**MISSED**" not in pages.table([found]).splitlines()[2]


def test_a_run_is_held_against_another_that_was_run_before(write, capsys):
    path = write(PAIR.replace("RANGE", 'min = -9, minus_run = "narrow"'))
    assert main(["reproduce", str(path), "--runs", "wide", "--seeds", "1"]) == 1, "nobody knows whether it is reached"
    assert "waits for narrow run" in capsys.readouterr().out
    assert ledger.read(Path("results/small.jsonl"))[0]["reached"] == {}
    assert main(["reproduce", str(path), "--seeds", "1", "--resume"]) == 0
    shown = capsys.readouterr().out
    narrow, wide = (
        line["results"]["reconstruction"]["value"] for line in reversed(ledger.read(Path("results/small.jsonl")))
    )
    assert shown.count("reached") == 2 and f"{narrow:.5g}" in shown and f"{wide - narrow:+.5g}" in shown
    assert main(["reproduce", str(path), "--runs", "wide", "--seeds", "1", "--resume"]) == 0
    assert len(ledger.read(Path("results/small.jsonl"))) == 2


def test_a_recipe_may_give_options_to_the_data(write):
    text = RECIPE.replace("[model]", '[data_options]\nattributes = ["ink"]\n\n[model]').replace('"ae"', '"cvae"')
    text = text.replace('["reconstruction"]', '["obedience"]\nn = 50').replace("hidden = [16]", "")
    text = text.replace("expect.reconstruction.max", "expect.ink_error.max").partition("[tiers.nightly]")[0]
    assert main(["reproduce", str(write(text)), "--seeds", "0"]) in (0, 1)
    (found,) = ledger.read(Path("results/small.jsonl"))
    assert found["results"]["ink_error"]["protocol"].endswith("ink measured of every sample, seed 0")


def test_a_recipe_may_be_judged_by_other_data_than_those_of_the_training(write):
    text = RECIPE.replace("[model]", "[data_options]\nlimit = 100\n\n[model]").partition("[tiers.nightly]")[0]
    text = text.replace('["reconstruction"]', '["reconstruction"]\ndata = "digits:train"')
    assert main(["reproduce", str(write(text)), "--seeds", "0"]) == 0
    (found,) = ledger.read(Path("results/small.jsonl"))
    test = len(load_data("digits:test"))
    assert f"{test:,} of digits:test" in found["results"]["reconstruction"]["protocol"]


def test_seconds_are_those_of_the_training_though_the_doctor_has_the_last_word(write, monkeypatch):
    log = RunFolder.log
    finding = {"step": 30, "doctor": {"name": "slow learning"}}
    monkeypatch.setattr(RunFolder, "log", lambda self: [*log(self), finding])
    assert main(["reproduce", str(write()), "--seeds", "0"]) == 0
    (found,) = ledger.read(Path("results/small.jsonl"))
    assert found["seconds"]["training"] > 0


def test_a_damaged_line_is_named(write):
    found = recipe.read(write())
    path = ledger.append(found, line(0, 1.0, ""))
    path.write_text(path.read_text() + '{"half": ')
    with pytest.raises(NacreError, match=r"line 2 of results/small.jsonl is damaged"):
        ledger.read(path)


def test_the_list_has_one_line_per_recipe(capsys):
    assert main(["reproduce", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [text.split()[0] for text in lines] == recipe.names()
    assert all(" ci " in text for text in lines)


def test_names_that_do_not_exist(capsys):
    assert main(["reproduce"]) == 2 and "name a recipe" in capsys.readouterr().err
    assert main(["reproduce", "pca-identty"]) == 2 and "did you mean pca-identity" in capsys.readouterr().err
    assert main(["reproduce", "nowhere.toml"]) == 2 and "nowhere.toml cannot be read" in capsys.readouterr().err
    assert main(["reproduce", "pca-identity", "--tier", "gpu"]) == 2 and "has no tier" in capsys.readouterr().err


def test_the_pages_are_those_of_the_results():
    """`nacre reproduce --results` was run after the last change of `recipes/` or `results/`."""
    recipes = [recipe.find(name) for name in recipe.names()]
    assert (ROOT / "RESULTS.md").read_text() == pages.results_page(recipes)
    readme = (ROOT / "README.md").read_text()
    assert readme == pages.with_table(readme, recipes) and pages.measured(recipes) in readme
    assert all(line in pages.table(recipes) for line in pages.measured(recipes).splitlines() if line.startswith("| `"))


def test_pages_are_written_into_a_checkout_only(tmp_path):
    with pytest.raises(NacreError, match="run this in a checkout"):
        pages.write(tmp_path)
    (tmp_path / "README.md").write_text(f"before\n{pages.BEGIN}\nold\n{pages.END}\nafter\n")
    assert pages.write(tmp_path) == [tmp_path / "RESULTS.md", tmp_path / "README.md"]
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text and "`pca-identity`" in text
