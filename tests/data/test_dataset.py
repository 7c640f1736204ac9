"""`Data` and `LazyData`: batches, subsets, siblings and fingerprints."""

import numpy as np
import pytest
import torch
from PIL import Image

from nacre.data.dataset import Data, LazyData, memory_limit
from nacre.data.sources import load_data
from nacre.errors import NacreError


@pytest.fixture
def folder(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 6, 9, 3), dtype=np.uint8)
    for i, image in enumerate(pixels):
        place = tmp_path / "photos" / ("cat" if i % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{i:02}.png")
    return tmp_path / "photos"


def test_batch_is_float_in_user_units():
    data = load_data("digits")
    batch = data.batch(torch.tensor([5, 0, 5]))
    assert data.x.dtype == torch.uint8
    assert batch.x.dtype == torch.float32
    assert batch.x.shape == (3, 1, 8, 8)
    assert batch.y.dtype == torch.int64
    assert torch.equal(batch.x[0], data.x[5] / 16)
    assert torch.equal(batch.y, data.y[[5, 0, 5]])
    whole = data.examples().x
    assert 0 <= whole.min() and whole.max() == 1


def test_a_batch_never_changes_the_data():
    x = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    data = load_data(x)
    data.batch(torch.arange(3)).x.zero_()
    assert torch.equal(data.batch(torch.arange(3)).x, torch.arange(6.0).view(3, 2))


def test_examples_are_a_seeded_subset_without_replacement():
    data = load_data(np.arange(100.0)[:, None])
    some = data.examples(20, seed=3).x.flatten()
    assert torch.equal(some, data.examples(20, seed=3).x.flatten())
    assert not torch.equal(some, data.examples(20, seed=4).x.flatten())
    assert len(some.unique()) == 20
    assert some.max() > 50
    assert torch.equal(data.examples(100).x.flatten(), torch.arange(100.0))
    assert torch.equal(data.examples(None).x, data.examples(1000).x)


def test_subset_and_to():
    data = load_data("digits")
    part = data.subset(torch.tensor([3, 1]))
    assert len(part) == 2
    assert torch.equal(part.examples().y, data.y[[3, 1]])
    assert part.fingerprint != data.fingerprint
    assert torch.equal(data.to("cpu").x, data.x)
    assert data.to("cpu").device == torch.device("cpu")


def test_fingerprint_follows_content_labels_and_shape():
    x = np.random.default_rng(0).random((8, 4, 4), dtype=np.float32)
    prints = {
        load_data(source).fingerprint
        for source in (x, x.reshape(8, 2, 8), x * 0.5, (x, np.zeros(8, int)), (x, np.ones(8, int)))
    }
    assert len(prints) == 5
    assert load_data(x.copy()).fingerprint == load_data(x).fingerprint
    assert len(load_data(x).fingerprint) == 16


def test_siblings_are_the_other_splits():
    train = load_data("digits")
    test = train.sibling("test")
    assert (len(train), len(test)) == (1437, 360)
    assert (test.name, test.split, test.spec) == ("digits", "test", train.spec)
    assert train.sibling("validation") is None
    assert load_data("digits:all").sibling("test") is None
    assert load_data(np.zeros((4, 2))).sibling("test") is None
    halves = load_data(np.arange(50.0)[:, None], split="train")
    assert len(halves.sibling("test")) == 5


def test_lazy_equals_in_memory(folder):
    lazy, memory = load_data(folder, in_memory=False), load_data(folder, in_memory=True)
    assert isinstance(lazy, LazyData) and not isinstance(memory, LazyData)
    assert not hasattr(lazy, "x")
    assert len(lazy) == len(memory) == 27
    assert (lazy.spec, lazy.unit, lazy.storage) == (memory.spec, memory.unit, memory.storage)
    index = torch.tensor([4, 20, 4, 0])
    for a, b in ((lazy, memory), (lazy.subset(index), memory.subset(index)), (lazy.to("cpu"), memory)):
        assert torch.equal(a.examples(7, seed=1).x, b.examples(7, seed=1).x)
        assert torch.equal(a.examples(7, seed=1).y, b.examples(7, seed=1).y)
    assert torch.equal(lazy.batch(index).x, memory.batch(index).x)
    assert torch.equal(lazy.sibling("test").examples().x, memory.sibling("test").examples().x)
    assert lazy.fingerprint == load_data(folder, in_memory=False).fingerprint
    assert lazy.fingerprint != lazy.subset(index).fingerprint


def test_the_memory_limit_chooses(folder, monkeypatch):
    monkeypatch.setenv("NACRE_MEMORY", str(27 * 3 * 6 * 9))
    assert type(load_data(folder)) is Data
    monkeypatch.setenv("NACRE_MEMORY", str(27 * 3 * 6 * 9 - 1))
    assert type(load_data(folder)) is LazyData
    monkeypatch.setenv("NACRE_MEMORY", "8e9")
    assert memory_limit() == 8_000_000_000
    monkeypatch.setenv("NACRE_MEMORY", "lots")
    with pytest.raises(NacreError, match="NACRE_MEMORY is 'lots'"):
        load_data(folder)
    monkeypatch.delenv("NACRE_MEMORY")
    assert memory_limit() > 1e8


def test_data_is_returned_as_it_is():
    data = load_data("ring")
    assert load_data(data) is data
    assert "ring:train" in repr(data)
