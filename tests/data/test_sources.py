"""`load_data`: names, splits, arrays, and one clear sentence for each mistake."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nacre.data.sources import known_names, load_data
from nacre.errors import NacreError

REAL = Path(__file__).parents[3] / "shared" / "data"


def refuses(words, *args, **options):
    with pytest.raises(NacreError) as caught:
        load_data(*args, **options)
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    return message


@pytest.fixture
def named(tmp_path, monkeypatch):
    """A folder of NACRE_DATA with small files laid out as the real ones."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, 30, dtype=np.uint8)
    np.savez(tmp_path / "mnist.npz", x_train=images[:20], y_train=labels[:20], x_test=images[20:], y_test=labels[20:])
    bits = np.packbits(images > 128).reshape(30, 98)
    np.savez(tmp_path / "mnist_binarized.npz", x_train=bits[:20], x_valid=bits[20:25], x_test=bits[25:], shape=[28, 28])
    monkeypatch.setenv("NACRE_DATA", f"/nowhere:{tmp_path}")
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "cache"))
    return images, labels


def test_digits_are_split_by_class():
    train, test = load_data("digits"), load_data("digits:test")
    assert (len(train), len(test), len(load_data("digits:all"))) == (1437, 360, 1797)
    assert train.unit == 1 / 16
    assert train.spec.classes == tuple("0123456789")
    assert train.spec.name == train.name == "digits"
    counts = torch.bincount(test.y)
    assert counts.min() >= 34 and counts.max() <= 37
    known = {row.numpy().tobytes() for row in train.x}
    assert sum(row.numpy().tobytes() in known for row in test.x) == 0


def test_mnist_layout(named):
    images, labels = named
    train, test = load_data("mnist"), load_data("mnist:test")
    assert np.array_equal(train.x[:, 0], images[:20])
    assert np.array_equal(test.y, labels[20:])
    assert train.spec == test.spec
    assert train.spec.shape == (1, 28, 28)
    assert train.spec.bounded and not train.spec.binary
    assert len(load_data("mnist:all")) == 30
    assert load_data("mnist", size=14).spec.shape == (1, 14, 14)
    assert "has no split 'validation'; it has train, test, all" in refuses("mnist", "mnist:validation")


def test_binarized_mnist_layout(named):
    images, _ = named
    data = load_data("binarized-mnist:validation")
    assert np.array_equal(data.x[:, 0], images[20:25] > 128)
    assert (data.unit, data.y, data.spec.binary) == (1.0, None, True)
    assert len(data.sibling("test")) == 5


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here; their layout is tested above")
def test_real_files(monkeypatch):
    monkeypatch.setenv("NACRE_DATA", str(REAL))
    mnist = load_data("mnist:test")
    assert torch.bincount(mnist.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    binarized = load_data("binarized-mnist")
    assert len(binarized) == 50_000
    assert binarized.x.float().mean().item() == pytest.approx(0.1306, abs=1e-4)
    cifar = load_data("cifar10:test", in_memory=False)
    assert (len(cifar), cifar.spec.shape, cifar.spec.classes[3]) == (10_000, (3, 32, 32), "cat")
    flowers = load_data("flowers:validation", size=16)
    assert torch.bincount(flowers.y).sum() == len(flowers) == 736
    assert flowers.spec.classes == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    facades = load_data("facades:validation", in_memory=False)
    assert "paired with label_map" in facades.notes[0]
    assert load_data("crawl_tiles", in_memory=False).spec.shape == (4, 32, 32)
    adult = load_data("adult", label="income")
    assert adult.spec.classes == ("<=50K", ">50K") and adult.y.bincount().tolist() == [24_720, 7_841]
    assert adult.spec.missing == ("workclass", "occupation", "native-country")
    assert adult.sibling("test").spec == adult.spec
    assert int(adult.x.isnan().sum()) == 4_262
    refuses("it is no category", "zinc_smiles:test")


def test_arrays_of_all_shapes():
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (6, 5, 7), dtype=np.uint8)
    colour = rng.integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)
    assert load_data(grey).spec.shape == (1, 5, 7)
    assert load_data(colour).spec.shape == (3, 5, 7)
    assert torch.equal(load_data(colour).x, load_data(colour.transpose(0, 3, 1, 2)).x)
    assert load_data(torch.from_numpy(colour)).spec.shape == (3, 5, 7)
    floats = load_data(grey / 255)
    assert (floats.x.dtype, floats.unit) == (torch.float32, 1.0)
    assert torch.allclose(floats.examples().x, load_data(grey).examples().x)
    deep = load_data(grey.astype(np.uint16) * 257)
    assert (deep.x.dtype, deep.unit) == (torch.float32, 1 / 65535)
    assert torch.allclose(deep.examples().x, floats.examples().x)
    assert load_data(grey > 99).spec.binary
    assert load_data(rng.random((6, 2, 4, 5))).spec.shape == (2, 4, 5)
    assert load_data(torch.rand(6, 1, 4, 4, dtype=torch.bfloat16, requires_grad=True)).spec.kind == "image"
    assert load_data([[1, 2], [3, 4]]).spec.shape == (2,)
    assert load_data(np.arange(5)).spec.shape == (1,)
    assert load_data(grey).split == "all"
    assert load_data(grey, split="train").examples().x.shape[0] == 5
    assert load_data(rng.random((6, 5, 7, 3)), size=(3, 4)).spec.shape == (3, 3, 4)


def test_vector_units_come_from_the_training_rows():
    x = np.random.default_rng(0).normal((3, -2, 7), (1, 5, 0), (100, 3))
    train, test, whole = (load_data(x, split=split) for split in ("train", "test", "all"))
    rows = train.x.double()
    assert train.spec.center == pytest.approx(rows.mean(0).tolist())
    assert train.spec.scale[:2] == pytest.approx(rows.std(0, correction=0)[:2].tolist())
    assert train.spec.scale[2] == 1
    assert test.spec == whole.spec == train.spec
    assert not train.spec.bounded
    assert load_data(np.eye(4)).spec.binary and load_data(np.eye(4) / 2).spec.bounded
    assert sorted(torch.cat([train.x, test.x])[:, 0].tolist()) == sorted(whole.x[:, 0].tolist())
    assert not torch.equal(load_data(x, split="test", seed=1).x, test.x)


def test_labels():
    x = np.zeros((4, 2))
    assert load_data((x, ["b", "a", "b", "b"])).spec.classes == ("a", "b")
    assert load_data((x, ["b", "a", "b", "b"])).y.tolist() == [1, 0, 1, 1]
    assert load_data((x, np.array([[0.0], [2], [1], [1]]))).spec.classes == ("0", "1", "2")
    assert load_data((x, torch.tensor([True, False, True, True]))).y.tolist() == [1, 0, 1, 1]
    assert load_data((x, pd.Series(["u", "v", "u", "u"]))).spec.classes == ("u", "v")
    refuses("4 examples but labels of shape (3,)", (x, [0, 1, 2]))
    refuses("the label -1 is out of range", (x, [0, -1, 2, 0]))
    refuses("the label 5000 is out of range", (x, [0, 5000, 2, 0]))
    refuses("not whole numbers", (x, [0, 0.5, 2, 0]))
    refuses("type object", (x, [None, 0, 1, 2]))


def test_a_label_beyond_those_of_the_training_part(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=np.zeros((3, 2)), y_train=[0, 1, 1], x_test=np.zeros((1, 2)), y_test=[7])
    refuses("the label 7 in row 0 is out of range", tmp_path / "a.npz", split="test")
    np.savez(tmp_path / "b.npz", x_train=np.zeros((2, 2)), y_train=["a", "b"], x_test=np.zeros((1, 2)), y_test=["c"])
    refuses("'c' is none of the known classes a, b", tmp_path / "b.npz", split="test")


def test_data_frames():
    frame = pd.DataFrame({"height": [1.0, 2, 3], "age": [4, 5, 6], "class": ["x", "y", "x"]})
    data = load_data(frame)
    assert data.spec.columns == ("height", "age")
    assert data.y.tolist() == [0, 1, 0]
    assert load_data((frame[["age"]], [1, 0, 1])).spec.columns == ("age",)


def test_mistakes_in_arrays():
    bad = np.zeros((5, 3))
    bad[2, 1], bad[4, 0] = np.nan, np.inf
    refuses("2 missing (NaN) or infinite values, the first in row 2, column 1", bad)
    refuses("is empty (shape (0, 3))", np.zeros((0, 3)))
    refuses("type object", np.array([{}, {}]))
    refuses("type object", None)
    refuses("its rows differ in shape", [[1, 2], [3]])
    refuses("values from -1 to 2", np.linspace(-1, 2, 4 * 9).reshape(4, 3, 3))
    refuses("give uint8 in 0..255", np.full((2, 3, 3), 300))
    refuses("1 to 4 channels", np.zeros((2, 7, 7, 7)))
    refuses("1 to 4 channels", np.zeros((2, 1, 3, 3, 3)))
    refuses("leave --size out", np.zeros((4, 2)), size=8)
    refuses("the size 0 is not positive", np.zeros((4, 2, 2)), size=0)
    refuses("too few examples (3)", np.zeros((3, 2)), split="test")
    refuses("has no split 'validation'; it has train, test, all", np.zeros((30, 2)), split="validation")


def test_unknown_names(named, tmp_path):
    message = refuses("there is no data set 'mnits'; did you mean mnist", "mnits")
    assert "./photos" in message
    refuses("'tset' is no split; write mnist:train", "mnist:tset")
    refuses("there is no file or folder ./nope/x.npy", "./nope/x.npy")
    refuses("there is no file or folder photos.zip", "photos.zip")
    (tmp_path / "x.zip").touch()
    refuses("is of no known type", tmp_path / "x.zip")
    assert {"digits", "cifar10", "swiss-roll", "mnist_binarized"} <= set(known_names())


def test_names_and_errors_do_not_import_torch():
    code = "import sys, nacre.data.spec, nacre.errors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_limit_keeps_few_training_examples_and_all_others():
    few, whole = load_data("digits", limit=20), load_data("digits")
    assert len(few) == 20 and few.limit == 20 and few.fingerprint != whole.fingerprint
    assert torch.equal(few.batch(torch.arange(20)).x, load_data("digits", limit=20).batch(torch.arange(20)).x)
    rows = whole.batch(torch.arange(len(whole))).x.flatten(1)
    assert (torch.cdist(few.batch(torch.arange(20)).x.flatten(1), rows).min(1).values < 1e-4).all()
    held = few.sibling("test")
    assert len(held) == len(whole.sibling("test"))
    assert len(held.sibling("train")) == 20
    with pytest.raises(NacreError, match="between 2 and the"):
        load_data("digits", limit=10**6)
