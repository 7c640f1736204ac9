import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

import nacre
from nacre.cli import compare, evaluate
from nacre.engine.run import RunFolder
from nacre.errors import NacreError
from nacre.metrics.result import Protocol, Result
from nacre.report import write_report
from nacre.report.charts import Line, Whisker, lines, short, ticks, whiskers
from nacre.report.meanings import OTHER, grouped, place
from nacre.report.verdict import verdict, verdicts


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("NACRE_CACHE", str(tmp_path_factory.mktemp("cache")))
    folder = tmp_path_factory.mktemp("runs")
    nacre.train("vae", "digits", steps=6, log_every=2, out=folder / "a<b>", hidden=(16,), progress=False)
    nacre.train("wgan-gp", "digits", steps=2, log_every=1, out=folder / "gan", hidden=(16,), progress=False)
    yield folder
    patch.undo()


METRICS = ("frechet", "elbo", "memorisation")


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_evaluate_and_compare(runs, capsys):
    evaluate.run(str(runs / "a<b>"), metrics=METRICS, n=300)
    out = capsys.readouterr().out
    assert "frechet" in out
    assert "digits:test" in out
    report = json.loads((runs / "a<b>" / "report.json").read_text())
    assert report["data"]["split"] == "test"
    assert "| frechet |" in (runs / "a<b>" / "MODEL_CARD.md").read_text()

    evaluate.run(str(runs / "gan"), metrics=("frechet", "memorisation"), n=300)
    capsys.readouterr()
    compare.run((str(runs / "a<b>"), str(runs / "gan")))
    assert str(runs / "compare.html").split("/")[-1] in capsys.readouterr().out
    assert (runs / "gan" / "report.json").is_file()
    text = (runs / "compare.html").read_text()
    page = Page(text)
    assert page.open == []
    assert len(page.links) == 7  # three grids of samples, two walks, two pictures of nearest training examples
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert not re.search(r"https?://|@import|url\(|<script", text)
    words = " ".join(page.words)
    assert "nacre train wgan-gp digits" in words
    assert "1,437 training examples" in words
    assert "360 held out" in words
    assert "real against real" in words
    assert "Fidelity and diversity" in words
    assert "A lower bound on the log-probability of held-out examples." in words
    assert "best by" not in words


def test_json_goes_to_stdout(runs, capsys):
    evaluate.run(str(runs / "gan"), metrics=("frechet",), n=300, json=True)
    assert json.loads(capsys.readouterr().out)["metrics"][0]["name"] == "frechet"
    compare.run((str(runs / "gan"),), html=runs / "one.html", json=True)
    assert json.loads(capsys.readouterr().out)["page"] == str(runs / "one.html")


def test_names_are_escaped(runs, tmp_path):
    other = tmp_path / "x"
    nacre.train("vae", "digits", steps=2, out=other, hidden=(16,), progress=False)
    write_report([RunFolder(runs / "a<b>"), RunFolder(other)], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "a&lt;b&gt;" in text
    assert "a<b>" not in text


def test_runs_on_arrays_and_points(tmp_path):
    x = nacre.load_data("digits").examples(100).x
    nacre.train("vae", x, steps=2, batch_size=32, out=tmp_path / "array", hidden=(16,), progress=False)
    nacre.train("gan", "ring", steps=2, out=tmp_path / "ring", hidden=(16,), progress=False)
    nacre.train("vae", x.flatten(1)[:, :9], steps=2, batch_size=32, out=tmp_path / "rows", hidden=(16,), progress=False)
    for name in ("array", "ring", "rows"):
        write_report([RunFolder(tmp_path / name)], tmp_path / f"{name}.html")
        assert Page((tmp_path / f"{name}.html").read_text()).open == []
    with pytest.raises(NacreError, match="different data"):
        write_report([RunFolder(tmp_path / "array"), RunFolder(tmp_path / "ring")], tmp_path / "both.html")
    with pytest.raises(NacreError, match="nothing to compare"):
        write_report([], tmp_path / "none.html")


def result(value, interval=None, better: Any = "lower", name="m", **protocol):
    return Result(name, value, better=better, interval=interval, protocol=Protocol(**protocol))


def test_the_best_needs_one_protocol():
    a, b = result(1.0), result(2.0)
    assert verdict({"a": a, "b": b}).best == ("a",)
    assert verdict({"a": result(1.0, better="higher"), "b": result(2.0, better="higher")}).best == ("b",)
    assert verdict({"a": a}).text == ""
    assert verdict({"a": result(1.0, better=""), "b": result(2.0, better="")}).text == ""
    otherwise = verdict({"a": a, "b": result(0.5, seed=1)})
    assert otherwise.best == ()
    assert otherwise.text == "measured in different ways: no comparison"
    assert verdict({"a": result(float("nan")), "b": b}).best == ("b",)
    codes = [result(v, better="higher", name="probe_100", features=f) for v, f in ((0.1, "5"), (0.9, "7"))]
    assert verdict(dict(zip("ab", codes, strict=True))).best == ("b",)


def test_overlapping_intervals_are_no_significant_difference():
    a, b, c = result(1.0, (0.5, 1.5)), result(1.4, (1.2, 1.6)), result(3.0, (2.9, 3.1))
    both = verdict({"a": a, "b": b})
    assert both.to_dict() == {"best": ["a", "b"], "significant": False, "text": "no significant difference"}
    assert verdict({"c": c, "b": b, "a": a}).text == "no significant difference between b and a"
    assert verdict({"a": a, "c": c}).to_dict() == {"best": ["a"], "significant": True, "text": "a is best"}
    assert verdict({"a": a, "point": result(1.5)}).tied  # a value without an interval is a point
    assert not verdict({"a": a, "point": result(1.6)}).tied
    assert list(verdicts({"x": {"m": a}, "y": {"m": b, "k": c}})) == ["m", "k"]


def test_every_metric_has_a_heading_and_a_meaning():
    found = grouped(["elbo", "nothing", "probe_100_worst", "frechet"])
    assert found == {
        "Fidelity and diversity": ["frechet"], "Likelihood": ["elbo"],
        "Representation": ["probe_100_worst"], OTHER: ["nothing"],
    }  # fmt: skip
    assert place("nothing") == (OTHER, "")


def test_whiskers_lie_on_one_axis():
    rows = [Whisker("a", 0, 1.0, (0.0, 2.0)), Whisker("b<", 1, 9.0), Whisker("lost", 2, float("nan"))]
    drawn = whiskers(rows, {"floor": 0.5, "far": 1e6}, "m")
    assert drawn.count('class="mark"') == 1
    assert "b&lt;" in drawn
    assert "lost" not in drawn
    places = [float(x) for x in re.findall(r'circle class="fill." cx="([\d.]+)"', drawn)]
    left, right = (float(x) for x in re.findall(r'd="M([\d.]+) \d+H([\d.]+)M', drawn)[0])
    assert left < places[0] < right < places[1]
    assert places[0] == pytest.approx((left + right) / 2, abs=0.06)
    assert whiskers(rows[2:], {}, "m") == ""
    Page(drawn)


def test_charts():
    assert ticks(0, 2000, 4) == [0, 500, 1000, 1500, 2000]
    assert [short(value) for value in (0.25, 1500, 20_000, 3e6)] == ["0.25", "1500", "20k", "3M"]
    chart = lines([Line("a & b", 0, range(5000), [1.0] * 5000), Line("one", 9, [3], [2.0])], "t<")
    assert "a &amp; b" in chart
    assert "t&lt;" in chart
    assert len(chart) < 20_000
    Page(chart)
