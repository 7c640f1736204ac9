"""One thread per test process: small tensors do not gain from more, and two test processes share two cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from games import SHARED_DATA


@pytest.fixture(autouse=True)
def _quiet_and_apart(tmp_path_factory, monkeypatch):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if "NACRE_CACHE" not in os.environ:
        monkeypatch.setenv("NACRE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    if SHARED_DATA.is_dir() and "NACRE_DATA" not in os.environ:
        monkeypatch.setenv("NACRE_DATA", str(SHARED_DATA))
