"""Files of published data sets: where they are looked for, and how they are fetched and verified."""

import hashlib
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from nacre.errors import NacreError


class Remote(NamedTuple):
    """A published file.

    Args:
        url: Where it is published; its last part is the file's name.
        checksum: "md5:..." or "sha256:...".
    """

    url: str
    checksum: str

    @property
    def filename(self) -> str:
        """The file's name in the cache."""
        return self.url.rsplit("/", 1)[-1]


_MNIST = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_BINARIZED = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist"

REMOTES: dict[str, tuple[Remote, ...]] = {
    "mnist": (
        Remote(f"{_MNIST}/mnist.npz", "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"),
    ),
    "fashion-mnist": (
        Remote(f"{_FASHION}/train-images-idx3-ubyte.gz", "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        Remote(f"{_FASHION}/train-labels-idx1-ubyte.gz", "md5:25c81989df183df01b3e8a0aad5dffbe"),
        Remote(f"{_FASHION}/t10k-images-idx3-ubyte.gz", "md5:bef4ecab320f06d8554ea6380940ec79"),
        Remote(f"{_FASHION}/t10k-labels-idx1-ubyte.gz", "md5:bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    "cifar10": (
        Remote("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530"),
    ),
    "binarized-mnist": (
        Remote(
            f"{_BINARIZED}/binarized_mnist_train.amat",
            "sha256:ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
        ),
        Remote(
            f"{_BINARIZED}/binarized_mnist_valid.amat",
            "sha256:1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
        ),
        Remote(
            f"{_BINARIZED}/binarized_mnist_test.amat",
            "sha256:e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
        ),
    ),
}


def data_folders() -> list[Path]:
    """The folders of the environment variable NACRE_DATA that exist."""
    names = os.environ.get("NACRE_DATA", "").split(os.pathsep)
    return [folder for name in names if name and (folder := Path(name).expanduser()).is_dir()]


def cache_folder() -> Path:
    """Where downloads are kept: NACRE_CACHE, or ~/.cache/nacre."""
    return Path(os.environ.get("NACRE_CACHE") or Path.home() / ".cache" / "nacre").expanduser()


def find(*names: str) -> Path | None:
    """The first file or folder of one of these names in the folders of NACRE_DATA."""
    places = (folder / name for folder in data_folders() for name in names)
    return next((place for place in places if place.exists()), None)


def published(name: str) -> list[Path]:
    """The files of a published set, in the order of `REMOTES`, fetched into the cache where they are not there yet.

    Raises:
        NacreError: If a file cannot be fetched or is not the one that was published.
    """
    return [_fetch(name, remote, cache_folder() / name / remote.filename) for remote in REMOTES[name]]


def _fetch(name: str, remote: Remote, target: Path) -> Path:
    if target.exists():
        return target
    print(f"nacre: fetching {remote.url}", file=sys.stderr)
    algorithm, expected = remote.checksum.split(":")
    digest = hashlib.new(algorithm)
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, so that two processes that fetch at once do not write into one file.
    with NamedTemporaryFile(dir=target.parent, prefix=target.name, suffix=".part", delete=False) as file:
        part = Path(file.name)
        try:
            with urllib.request.urlopen(remote.url, timeout=30) as response:
                while block := response.read(1 << 20):
                    digest.update(block)
                    file.write(block)
            if digest.hexdigest() != expected:
                raise NacreError(
                    f"{remote.url} has the checksum {digest.hexdigest()[:12]}... and not {expected[:12]}... "
                    f"({algorithm}), so it is damaged or not the published file; try again, or set NACRE_DATA to a "
                    f"folder that has {name}."
                )
            file.close()
            part.replace(target)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise NacreError(
                f"{name} cannot be fetched from {remote.url} ({reason}); connect to the network or set the "
                f"environment variable NACRE_DATA to a folder that has it."
            ) from None
        finally:
            part.unlink(missing_ok=True)
    return target
