"""What only a GPU can show; run with `pytest -m gpu`."""

import pytest
import torch
from games import MODELS, OPTIONS, digits, make

import nacre
from nacre.engine.callbacks import Callback

pytestmark = pytest.mark.gpu
CUDA = {**OPTIONS, "device": "cuda", "log_every": 10_000}


class NoSyncs(Callback):
    """From the second step on a synchronisation with the host is an error."""

    every = 1

    def step(self, trainer):
        torch.cuda.set_sync_debug_mode("error" if trainer.step < trainer.training.steps - 1 else "default")


@pytest.mark.parametrize("name", MODELS)
def test_a_step_never_waits_for_the_device(name):
    try:
        make(name).fit(digits(), callbacks=[NoSyncs()], **CUDA)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["float32", "medium", "bf16"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_trains_there_and_loads_here(name, precision, tmp_path):
    make(name).fit(digits(), out=tmp_path, precision=precision, **CUDA)
    assert nacre.load(tmp_path).device.type == "cpu"


def test_a_model_that_lies_there_is_transferred():
    model = make("stacked-ae").fit(digits(), **CUDA)
    classifier = nacre.transfer(model, digits(), steps=2, device="cuda")
    assert classifier.device.type == "cuda" and 0 <= classifier.accuracy(digits()) <= 1
