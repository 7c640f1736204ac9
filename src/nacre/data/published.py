"""Published sets by name: digits, MNIST, Fashion-MNIST, binarized MNIST and CIFAR-10, one function each."""

import gzip
import tarfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nacre.data import files
from nacre.data.download import find, published
from nacre.data.parts import Part, array_part
from nacre.errors import NacreError

Parts = dict[str, Callable[[], Part]]

DIGITS = tuple("0123456789")
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def digits() -> Parts:
    """The 1,797 handwritten digits of scikit-learn, 8 x 8 with values 0..16, in a fixed stratified 80/20 split."""
    return {split: partial(_digits, split) for split in ("train", "test")}


def mnist() -> Parts:
    """MNIST (LeCun et al. 1998): 60,000 and 10,000 digits, 28 x 28."""
    path = find("mnist.npz") or published("mnist")[0]
    return files.npz(path, classes=DIGITS)


def fashion_mnist() -> Parts:
    """Fashion-MNIST (Xiao et al. 2017): 60,000 and 10,000 articles of clothing, 28 x 28."""
    if path := find("fashion-mnist.npz", "fashion_mnist.npz"):
        return files.npz(path, classes=FASHION)
    train_x, train_y, test_x, test_y = published("fashion-mnist")
    return {
        "train": lambda: array_part(_idx(train_x), _idx(train_y), str(train_x), classes=FASHION),
        "test": lambda: array_part(_idx(test_x), _idx(test_y), str(test_x), classes=FASHION),
    }


def cifar10() -> Parts:
    """CIFAR-10 (Krizhevsky 2009): 50,000 and 10,000 colour images, 32 x 32."""
    if (folder := find("cifar10")) and (parts := files.split_tables(folder)):
        return parts
    archive = published("cifar10")[0]
    return {
        "train": lambda: _cifar(archive, [f"data_batch_{i}.bin" for i in range(1, 6)]),
        "test": lambda: _cifar(archive, ["test_batch.bin"]),
    }


def binarized_mnist() -> Parts:
    """Static binarized MNIST (Larochelle & Murray 2011): 50,000, 10,000 and 10,000 images, without labels.

    Its test part is sorted by class.
    """
    splits = ("train", "validation", "test")
    if path := find("mnist_binarized.npz", "binarized-mnist.npz"):
        return files.npz(path)
    paths = dict(zip(splits, published("binarized-mnist"), strict=True))
    return {split: partial(_amat, paths[split]) for split in splits}


def mnist_dynamic() -> Parts:
    """MNIST, binarized afresh in every training batch and once, with a fixed seed, in the test part.

    A value is 1 with the probability that its grey value is ("dynamic binarization", Salakhutdinov & Murray 2008).
    """
    note = "grey values are drawn as 0 or 1: afresh in every training batch, once with a fixed seed in the test part"
    parts = mnist()
    return {
        "train": lambda: replace(parts["train"](), binarize="afresh", notes=(note,)),
        "test": lambda: replace(parts["test"](), binarize="once", notes=(note,)),
    }


PUBLISHED: dict[str, Callable[[], Parts]] = {
    "digits": digits,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "binarized-mnist": binarized_mnist,
    "mnist-dynamic": mnist_dynamic,
    "cifar10": cifar10,
}


def _digits(split: str) -> Part:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch: Any = load_digits()
    rows = np.arange(len(bunch.target))
    train, test = train_test_split(rows, test_size=0.2, random_state=0, stratify=bunch.target)
    index = np.sort(train if split == "train" else test)
    x = bunch.images[index].astype(np.uint8)[:, None]  # (n, 1, 8, 8)
    return Part(x, bunch.target[index].astype(np.int64), 1 / 16, DIGITS)


def _idx(path: Path) -> np.ndarray:
    with gzip.open(path) as file:
        content = file.read()
    n_axes = content[3]
    shape = np.frombuffer(content, ">u4", n_axes, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


def _cifar(archive: Path, names: list[str]) -> Part:
    with tarfile.open(archive) as tar:
        found = {Path(member.name).name: member for member in tar.getmembers()}
        opened = [tar.extractfile(found[name]) for name in names]
        rows = np.concatenate([np.frombuffer(file.read(), np.uint8).reshape(-1, 3073) for file in opened if file])
    return array_part(rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0], str(archive), classes=CIFAR10)


def _amat(path: Path) -> Part:
    content = np.frombuffer(path.read_bytes(), np.uint8)
    values = content[content > ord(" ")] - ord("0")
    if values.size == 0 or values.size % 784 or values.max() > 1:
        raise NacreError(f"{path} is not rows of 784 values 0 or 1; delete it to fetch it again.")
    return array_part(values.reshape(-1, 1, 28, 28), where=str(path))
