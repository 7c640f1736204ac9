"""`inspect` and `contact_sheet`: what is told of a data set."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nacre.cli.main import main
from nacre.data.inspect import contact_sheet, inspect
from nacre.data.sources import load_data


def test_digits():
    found = inspect(load_data("digits"))
    assert (found["n"], found["kind"], found["shape"]) == (1437, "image", [1, 8, 8])
    assert sum(found["classes"].values()) == 1437
    assert 0.9 < found["balance"] < 1
    assert (found["minimum"], found["maximum"], found["nan"], found["duplicates"]) == (0, 1, 0, 0)
    assert (found["storage"], found["bytes"]) == ("uint8", 1437 * 64)
    assert found["suggestion"]["command"] == "nacre train vae digits"
    assert found["warnings"] == []
    json.dumps(found)


def test_oddities():
    x = np.random.default_rng(0).normal(size=(50, 3))
    x[:, 1] = 4
    x[7] = x[3]
    y = np.zeros(50, int)
    y[0] = 2
    found = inspect(load_data((x, y)))
    assert found["constant"] == ["x1"]
    assert found["duplicates"] == 1
    assert found["mean"] == pytest.approx(x.mean())
    assert found["classes"] == {"0": 49, "1": 0, "2": 1}
    words = " ".join(found["warnings"])
    for word in ("only 50 examples", "1 of 50 examples equal", "left out: x1", "without examples: 1"):
        assert word in words
    assert found["suggestion"]["command"] == "nacre train wgan-gp DATA --batch-size 25"


def test_suggestions():
    assert inspect(load_data(np.random.rand(200, 64)))["suggestion"]["model"] == "vae"
    assert "8 x 8" in inspect(load_data(np.random.rand(200, 64)))["warnings"][-1]
    large = load_data(np.zeros((200, 3, 160, 160), np.uint8))
    assert inspect(large)["suggestion"]["flags"] == "--size 64"
    assert inspect(load_data("ring"))["suggestion"]["model"] == "wgan-gp"


def test_lazy_data_are_looked_at_in_part(tmp_path, monkeypatch):
    monkeypatch.setattr("nacre.data.inspect.LOOKED_AT", 10)
    for i in range(20):
        Image.fromarray(np.full((4, 4, 4), i, np.uint8)).save(tmp_path / f"{i}.png")
    found = inspect(load_data(tmp_path, split="all", in_memory=False))
    assert (found["n"], found["examined"], found["duplicates"]) == (20, 10, 0)
    assert any("batch by batch" in words for words in found["warnings"])
    assert any("transparency" in words for words in found["warnings"])


@pytest.mark.parametrize("shape", [(9, 1, 5, 4), (9, 2, 4, 4), (9, 3, 40, 30), (9, 4, 6, 6), (9, 1), (9, 2), (9, 5)])
def test_contact_sheet(tmp_path, shape):
    data = load_data(np.random.default_rng(0).random(shape))
    path = contact_sheet(data, tmp_path / "sheets" / "sheet.png", n=4)
    with Image.open(path) as sheet:
        assert min(sheet.size) >= 150


def test_missing_values_are_counted_and_left_out_of_the_rest():
    table = pd.DataFrame({"a": [1.0, float("nan"), 3.0], "b": [-2.0, 5.0, float("nan")]})
    found = inspect(load_data(table))
    assert (found["minimum"], found["maximum"], found["nan"]) == (-2.0, 5.0, 2)
    assert found["mean"] == pytest.approx((1 + 3 - 2 + 5) / 4)


def test_every_column_of_a_table_is_told_of(tmp_path, capsys):
    rows = ["age,job,x", *(f"{20 + i % 7},{'cook' if i % 3 else 'baker'},{i / 8 if i else ''}" for i in range(40))]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    age, job, x = inspect(load_data(tmp_path / "t.csv", split="all"))["columns"]
    assert (age["minimum"], age["maximum"], age["whole"]) == (20, 26, True)
    assert job == {"name": "job", "missing": 0, "categories": {"cook": 26, "baker": 14}}
    assert x["missing"] == 1 and x["maximum"] == 39 / 8 and not x["whole"]
    sheet = tmp_path / "sheet.png"
    assert main(["data", f"{tmp_path}/t.csv:all", "--drop", "x", "--sheet", str(sheet)]) == 0
    told = capsys.readouterr().out
    assert "age  whole numbers, 20 to 26" in told and "2 categories: cook 65%, baker 35%" in told and " x " not in told
    assert main(["data", f"{tmp_path}/t.csv:all", "--label", "job"]) == 0
    assert "baker 14, cook 26" in capsys.readouterr().out
    with Image.open(sheet) as picture:
        assert picture.size[0] > 400  # two histograms side by side


def test_attributes_are_measured(capsys):
    assert main(["data", "digits:test", "--attributes", "ink"]) == 0
    assert "ink  " in capsys.readouterr().out
