"""The verbs as a user types them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from games import MODELS
from PIL import Image

import nacre
from nacre.cli.main import VERBS, main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "vae"
    flags = ["--hidden", "8", "--latent", "3", "--steps", "4", "--no-progress"]
    assert main(["train", "vae", "digits", *flags, "--out", str(out)]) == 0
    return out


def test_help_and_data_errors_do_not_import_torch():
    """Help, the version, unknown commands and unknown models answer without the second that torch takes."""
    code = (
        "import sys; from nacre.cli.main import main\n"
        "assert main(['--help']) == 0 and main(['--version']) == 0 and main(['trian']) == 2\n"
        "assert main(['train', 'vea', 'digits']) == 2 and main(['train', '--help']) == 0\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    try:
        assert main([verb, "--help"]) == 0
    except SystemExit as stopped:
        assert stopped.code == 0
    assert f"nacre {verb}" in capsys.readouterr().out


def test_models_lists_every_model(capsys):
    assert main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in rows] == MODELS
    assert all(row["title"] and row["paper"] and row["can"] for row in rows)
    assert main(["models"]) == 0
    assert all(name in capsys.readouterr().out for name in ["wgan-gp"])


def test_the_readmes_table_is_the_registrys(capsys):
    assert main(["models", "--markdown"]) == 0
    table = re.search(
        r"<!-- nacre models --markdown -->\n(.*)<!-- end -->", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert table and table.group(1) == capsys.readouterr().out


def test_show_reads_like_the_algorithm_box(capsys):
    assert main(["show", "wgan-gp"]) == 0
    box = capsys.readouterr().out
    for line in (
        r"Gulrajani et al\. 2017, Algorithm 1",
        r"generator +\(64\) -> \(1, 28, 28\)",
        r"5 x  discriminator +minimise wasserstein \+ two-sided +Adam 0\.0001, beta 0, 0\.9",
        r"1 x  generator +minimise wasserstein",
        r"departs +The critic's last layer has no bias",
    ):
        assert re.search(line, box), line
    assert main(["show", "stacked-ae", "digits"]) == 0
    assert "phase 4   all layers, 50% of the steps" in capsys.readouterr().out


def test_data_suggests_a_command_with_what_it_was_given(tmp_path, capsys):
    rows = "".join(f"{number},{'ab'[number % 2]},{number % 3}\n" for number in range(40))
    (tmp_path / "pay.csv").write_text(f"id,sector,rank\n{rows}")
    assert main(["data", str(tmp_path / "pay.csv"), "--drop", "id", "--label", "rank"]) == 0
    assert " --label rank --drop id" in capsys.readouterr().out
    assert main(["data", "digits", "--size", "16", "--attributes", "slant", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["suggestion"]["flags"] == "--size 16 --attributes slant"


def test_show_takes_tables_with_categories_and_gaps(tmp_path, capsys):
    rows = "".join(f"{number},{'ab'[number % 2]}\n" for number in range(40))
    (tmp_path / "pay.csv").write_text(f"pay,sector\n{rows},b\n")
    assert main(["show", "tabular-vae", str(tmp_path / "pay.csv")]) == 0
    # the number, two categories and the flag of a missing number
    assert re.search(r"encoder +\(4\) -> \(64\)", capsys.readouterr().out)


def test_data_inspects_and_suggests(capsys, tmp_path):
    assert main(["data", "digits", "--json", "--sheet", str(tmp_path / "sheet.png")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["shape"], found["nan"]) == (1437, [1, 8, 8], 0)
    assert found["suggestion"]["command"].startswith("nacre train vae digits")
    assert (tmp_path / "sheet.png").exists()
    assert main(["data", "ring"]) == 0
    assert "start with     nacre train wgan-gp ring" in capsys.readouterr().out


def test_sample_writes_arrays_tables_and_images(run, tmp_path, capsys):
    for name in ("x.npy", "x.npz", "x.csv", "x.parquet", "folder"):
        assert main(["sample", str(run), "-n", "5", "--seed", "1", "--out", str(tmp_path / name)]) == 0
    expected = nacre.load(run).sample(5, seed=1).numpy()
    assert np.array_equal(np.load(tmp_path / "x.npy"), expected)
    assert np.array_equal(np.load(tmp_path / "x.npz")["x"], expected)
    assert np.allclose(pd.read_csv(tmp_path / "x.csv"), expected.reshape(5, -1), atol=1e-6)
    assert np.array_equal(pd.read_parquet(tmp_path / "x.parquet"), expected.reshape(5, -1))
    assert len(list((tmp_path / "folder").glob("*.png"))) == 5
    assert main(["sample", str(run)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(run / "samples.png")


def test_reconstruct_encode_and_interpolate(run, tmp_path):
    assert main(["reconstruct", str(run), "-n", "4", "--grid", str(tmp_path / "r.png")]) == 0
    assert main(["encode", str(run), "--out", str(tmp_path / "z.npy")]) == 0
    assert np.load(tmp_path / "z.npy").shape == (360, 3)
    for path in ("auto", "linear", "spherical"):
        picture = tmp_path / f"{path}.png"
        assert (
            main(["interpolate", str(run), "--pairs", "2", "--steps", "5", "--path", path, "--grid", str(picture)]) == 0
        )
        with Image.open(picture) as image:
            assert image.width / image.height == pytest.approx(44 / 17, rel=0.01)  # 5 x 2 digits of 8 pixels and gaps


def test_interpolation_meets_its_ends():
    vae = nacre.train("vae", "digits", hidden=(8,), latent=3, steps=2, progress=False)
    a, b = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 2.0, 0.0])
    for path in ("linear", "spherical"):
        walk = nacre.latent.interpolate(vae, a, b, steps=5, path=path)
        assert torch.allclose(walk[[0, -1]], vae.decode(torch.stack([a, b])), atol=1e-6)
    with pytest.raises(nacre.NacreError, match="at least 2"):
        nacre.latent.interpolate(vae, a, b, steps=1)
    from nacre.latent.interpolate import spherical

    points = spherical(a, torch.tensor([0.0, 1.0, 0.0]), torch.linspace(0, 1, 7))
    assert torch.allclose(points.norm(dim=1), torch.ones(7))
    assert torch.allclose(spherical(a, -a * 0 + a, torch.tensor([0.5])), a[None])


def test_the_next_free_folder_is_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", "vae", "digits", "--hidden", "8", "--steps", "1", "--no-progress"]) == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["00000-vae-digits", "00001-vae-digits"]
