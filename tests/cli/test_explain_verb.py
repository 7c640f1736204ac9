"""`nacre explain` as a user types it."""

import json

import pytest
from PIL import Image

from nacre.cli.main import main
from nacre.explain import TOPICS


def test_without_a_topic_it_lists_them(capsys):
    assert main(["explain"]) == 0
    said = capsys.readouterr().out
    assert all(f"{topic}  " in said for topic in TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_explains_its_flags(topic, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["explain", topic, "--help"])
    said = capsys.readouterr().out
    assert stopped.value.code == 0 and f"nacre explain {topic}" in said and "--out" in said


def test_a_page_prints_its_numbers_and_draws(tmp_path, capsys):
    picture = tmp_path / "new" / "saddle.png"
    assert main(["explain", "saddle", "--steps", "20", "--lr", "0.5", "--out", str(picture)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == str(picture) and any(line.split()[:2] == ["simultaneous", "1.118"] for line in said)
    with Image.open(picture) as image:
        assert 600 < image.width <= 1200


def test_json_holds_the_same_numbers(tmp_path, capsys):
    assert main(["explain", "saturation", "--batch", "16", "--json", "--out", str(tmp_path / "a.png")]) == 0
    tables = json.loads(capsys.readouterr().out)
    slopes = tables["gradient of the cost by the logit, for one sample with D(G(z)) = D"]
    assert next(row for row in slopes if row["D"] == "0.5")["non-saturating"] == -0.5


def test_mistakes_are_one_sentence(tmp_path, capsys):
    for arguments, word in (
        (["sadle"], "did you mean saddle"),
        (["--lr", "1"], "topic comes first"),
        (["saddle", "--lr", "3"], "lr is 3.0"),
        (["saddle", "--out", str(tmp_path / "a.jpg")], ".png"),
        (["saddle", "--steps", "x"], "steps"),
    ):
        assert main(["explain", *arguments]) == 2
        assert word in capsys.readouterr().err
