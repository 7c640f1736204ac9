"""Published files: fetched once, verified, and read in their original formats."""

import gzip
import hashlib
import io
import tarfile

import numpy as np
import pytest

from nacre.data import download
from nacre.data.download import Remote
from nacre.data.sources import load_data
from nacre.errors import NacreError

RNG = np.random.default_rng(0)


@pytest.fixture
def origin(tmp_path, monkeypatch):
    """Publishes files of given contents at file:// addresses under a name."""
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NACRE_DATA", raising=False)
    (tmp_path / "origin").mkdir()

    def publish(name, contents):
        remotes = []
        for filename, content in contents.items():
            (tmp_path / "origin" / filename).write_bytes(content)
            checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
            remotes.append(Remote((tmp_path / "origin" / filename).as_uri(), checksum))
        monkeypatch.setitem(download.REMOTES, name, tuple(remotes))
        return tmp_path

    return publish


def mnist_file():
    file = io.BytesIO()
    x, y = RNG.integers(0, 256, (6, 28, 28), dtype=np.uint8), np.arange(6, dtype=np.uint8)
    np.savez(file, x_train=x[:4], y_train=y[:4], x_test=x[4:], y_test=y[4:])
    return file.getvalue()


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(head + array.tobytes())


def test_a_file_is_fetched_once(origin, capsys):
    place = origin("mnist", {"mnist.npz": mnist_file()})
    assert len(load_data("mnist")) == 4
    assert "fetching file://" in capsys.readouterr().err
    (place / "origin" / "mnist.npz").unlink()
    assert len(load_data("mnist:test")) == 2
    assert capsys.readouterr().err == ""
    assert [file.name for file in (place / "cache" / "mnist").iterdir()] == ["mnist.npz"]


def test_a_wrong_checksum(origin):
    place = origin("mnist", {"mnist.npz": mnist_file()})
    (place / "origin" / "mnist.npz").write_bytes(b"something else")
    with pytest.raises(NacreError, match=r"damaged or not the published file.*NACRE_DATA"):
        load_data("mnist")
    assert list((place / "cache" / "mnist").iterdir()) == []


def test_no_network(origin):
    place = origin("mnist", {"mnist.npz": mnist_file()})
    (place / "origin" / "mnist.npz").unlink()
    with pytest.raises(NacreError, match=r"mnist cannot be fetched .* set the environment variable NACRE_DATA"):
        load_data("mnist")
    assert list((place / "cache" / "mnist").iterdir()) == []


def test_fashion_mnist(origin):
    x, y = RNG.integers(0, 256, (5, 28, 28), dtype=np.uint8), np.arange(5, dtype=np.uint8)
    names = [remote.filename for remote in download.REMOTES["fashion-mnist"]]
    origin("fashion-mnist", dict(zip(names, map(idx, (x[:3], y[:3], x[3:], y[3:])), strict=True)))
    train, test = load_data("fashion-mnist"), load_data("fashion-mnist:test")
    assert np.array_equal(train.x[:, 0], x[:3])
    assert test.y.tolist() == [3, 4]
    assert train.spec.classes[9] == "Ankle boot"


def test_cifar10(origin):
    x, y = RNG.integers(0, 256, (12, 3, 32, 32), dtype=np.uint8), np.arange(12, dtype=np.uint8)[:, None] % 10
    rows = np.concatenate([y, x.reshape(12, -1)], 1)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for i, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
            content = rows[2 * i : 2 * i + 2].tobytes()
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    origin("cifar10", {"cifar-10-binary.tar.gz": file.getvalue()})
    train, test = load_data("cifar10"), load_data("cifar10:test")
    assert np.array_equal(train.x, x[:10])
    assert np.array_equal(test.x, x[10:])
    assert test.y.tolist() == [0, 1]
    assert train.spec.classes[0] == "airplane"


def test_binarized_mnist(origin):
    x = RNG.integers(0, 2, (6, 784))
    texts = ["\n".join(" ".join(map(str, row)) for row in rows).encode() + b"\n" for rows in (x[:3], x[3:5], x[5:])]
    names = [remote.filename for remote in download.REMOTES["binarized-mnist"]]
    origin("binarized-mnist", dict(zip(names, texts, strict=True)))
    train = load_data("binarized-mnist")
    assert np.array_equal(train.x.flatten(1), x[:3])
    assert train.spec.binary and train.unit == 1
    assert len(train.sibling("validation")) == 2


def test_a_text_file_of_another_kind(origin):
    names = [remote.filename for remote in download.REMOTES["binarized-mnist"]]
    origin("binarized-mnist", dict.fromkeys(names, b"0 1 2\n"))
    with pytest.raises(NacreError, match="not rows of 784 values"):
        load_data("binarized-mnist")


def test_the_table_of_published_files():
    for remotes in download.REMOTES.values():
        for remote in remotes:
            algorithm, digest = remote.checksum.split(":")
            assert len(digest) == {"md5": 32, "sha256": 64}[algorithm]
            assert remote.url.startswith("http")
