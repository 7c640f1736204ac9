"""Files that are scored, encoded or filled in: all of their rows, in their order, as the run knows their columns."""

import numpy as np
import pandas as pd
import pytest

from nacre.cli.main import main


def table(path, rows, cities, seed=0):
    rng = np.random.default_rng(seed)
    lines = [f"{rng.normal():.3f},{rng.normal():.3f},{rng.choice(cities)}" for _ in range(rows)]
    path.write_text("\n".join(["height,width,city", *lines]) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    data = table(folder / "train.csv", 300, ["Aachen", "Bonn", "Cologne"])
    flags = ["--steps", "3", "--batch-size", "50", "--hidden", "8", "--latent", "2", "--no-progress"]
    main(["train", "tabular-vae", data, *flags, "--out", str(folder / "run")])
    return str(folder / "run")


def test_every_row_of_a_file_is_scored_and_encoded_in_its_order(run, tmp_path):
    new = table(tmp_path / "new.csv", 50, ["Aachen", "Bonn", "Cologne"], seed=1)
    main(["score", run, new, "--out", str(tmp_path / "scores.npy")])
    main(["encode", run, new, "--out", str(tmp_path / "codes.npy")])
    assert len(np.load(tmp_path / "scores.npy")) == len(np.load(tmp_path / "codes.npy")) == 50
    main(["encode", run, new + ":test", "--out", str(tmp_path / "part.npy")])
    assert len(np.load(tmp_path / "part.npy")) == 5


def test_categories_keep_their_numbers_where_some_are_absent_and_strange_ones_are_refused(run, tmp_path, capsys):
    all_rows = table(tmp_path / "all.csv", 60, ["Aachen", "Bonn", "Cologne"], seed=1)
    lines = (tmp_path / "all.csv").read_text().splitlines()
    bonn = [i for i, line in enumerate(lines[1:]) if line.endswith("Bonn")]
    (tmp_path / "bonn.csv").write_text("\n".join([lines[0], *(lines[1 + i] for i in bonn)]) + "\n")
    for name in ("all", "bonn"):
        assert main(["encode", run, str(tmp_path / f"{name}.csv"), "--out", str(tmp_path / f"{name}.npy")]) == 0
    assert np.allclose(np.load(tmp_path / "all.npy")[bonn], np.load(tmp_path / "bonn.npy"), atol=1e-6)
    assert main(["score", run, table(tmp_path / "new.csv", 50, ["Bonn", "Dresden"])]) == 2
    assert "holds 'Dresden'" in capsys.readouterr().err
    assert main(["score", run, all_rows]) == 0


def test_a_file_is_read_with_the_label_and_the_columns_of_the_run(tmp_path):
    everything = table(tmp_path / "all.csv", 120, ["Aachen", "Bonn"])
    flags = ["--steps", "3", "--batch-size", "50", "--hidden", "8", "--latent", "2", "--no-progress"]
    folder = str(tmp_path / "run")
    main(["train", "tabular-vae", everything, "--label", "city", "--columns", "width", *flags, "--out", folder])
    rows = [line.split(",") for line in (tmp_path / "all.csv").read_text().splitlines()]
    (tmp_path / "unlabelled.csv").write_text("\n".join(f"{height},{width}" for height, width, _ in rows) + "\n")
    for name in ("all", "unlabelled"):
        assert main(["encode", folder, str(tmp_path / f"{name}.csv"), "--out", str(tmp_path / f"{name}.npy")]) == 0
    codes = np.load(tmp_path / "all.npy")
    assert len(codes) == 120 and np.array_equal(codes, np.load(tmp_path / "unlabelled.npy"))


def test_a_table_is_reconstructed_column_by_column(run, tmp_path, capsys):
    new = table(tmp_path / "new.csv", 40, ["Aachen", "Bonn"], seed=1)
    assert main(["reconstruct", run, new, "-n", "40", "--out", str(tmp_path / "back.csv")]) == 0
    capsys.readouterr()
    assert main(["reconstruct", run, new, "-n", "40"]) == 0
    lines = capsys.readouterr().out.splitlines()
    true, back = pd.read_csv(new), pd.read_csv(tmp_path / "back.csv")
    assert f"{(true['city'] == back['city']).mean():.1%} right of 40" in lines[2] and len(lines) == 3
    assert lines[0].startswith("height: mean absolute error") and float(lines[0].split()[4]) == pytest.approx(
        (true["height"] - back["height"]).abs().mean(), rel=1e-3
    )
