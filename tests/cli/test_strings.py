"""Strings on the command line: printed, written as text, and shown as a page."""

import nacre
from nacre.cli.main import main
from nacre.report.samples import picture


def test_strings_are_printed_and_written(tmp_path, capsys):
    run = tmp_path / "run"
    flags = ["--hidden", "4", "--steps", "2", "--no-progress", "--out", str(run)]
    assert main(["train", "lstm", "grammar", *flags]) == 0
    assert (run / "samples" / "real.png").is_file()
    capsys.readouterr()
    assert main(["sample", str(run), "-n", "5", "--seed", "0"]) == 0
    place, *printed = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert place.endswith("samples.png") and len(printed) == 5
    assert set("".join(printed)) <= set(" x+-*/")
    assert main(["sample", str(run), "-n", "5", "--seed", "0", "--out", str(tmp_path / "x.txt")]) == 0
    assert (tmp_path / "x.txt").read_text().splitlines() == printed
    assert main(["sample", str(run), "-n", "5", "--seed", "0", "--out", str(tmp_path / "x.csv")]) == 0
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 6


def test_data_and_report_show_strings(tmp_path, capsys):
    assert main(["data", "grammar", "--sheet", str(tmp_path / "sheet.png")]) == 0
    said = capsys.readouterr().out
    assert "sequence (12,)" in said and "nacre train lstm grammar" in said
    data = nacre.load_data("grammar")
    assert "x" in picture(data.x[:4], data.spec, data.x, 0) and "<pre>" in picture(data.x[:4], data.spec, data.x, 0)
