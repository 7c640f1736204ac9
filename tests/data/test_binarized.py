"""`mnist-dynamic`: grey values drawn as bits, afresh in training and once for the test."""

import numpy as np
import pytest
import torch
from games import StopAt

import nacre
from nacre.data.loader import Loader
from nacre.engine.signals import InterruptedTraining


@pytest.fixture(autouse=True)
def small_mnist(tmp_path, monkeypatch):
    """40 images of one brightness each in the layout of MNIST: 30 to train, 10 to test."""
    levels = np.linspace(0, 255, 40).astype(np.uint8)
    images = np.broadcast_to(levels[:, None, None], (40, 28, 28))
    labels = np.arange(40) % 10
    np.savez(tmp_path / "mnist.npz", x_train=images[:30], y_train=labels[:30], x_test=images[30:], y_test=labels[30:])
    monkeypatch.setenv("NACRE_DATA", str(tmp_path))


def test_a_value_is_1_with_the_probability_of_its_grey():
    grey, bits = nacre.load_data("mnist"), nacre.load_data("mnist-dynamic")
    index = torch.arange(30)
    p = grey.batch(index).x.mean((1, 2, 3))
    draws = torch.stack([bits.batch(index).x for _ in range(20)])
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    share = draws.mean((0, 2, 3, 4))
    assert ((share - p).abs() <= 4 * (p * (1 - p) / (20 * 784)).sqrt() + 1e-6).all()
    assert torch.equal(bits.batch(index).y, grey.batch(index).y)
    assert bits.spec.binary and not grey.spec.binary
    assert bits.fingerprint != grey.fingerprint, "caches would mix them up"


def test_every_batch_is_drawn_afresh_from_the_state_that_checkpoints_hold():
    loader = Loader(nacre.load_data("mnist-dynamic"), 30, 0, torch.device("cpu"))
    torch.manual_seed(3)
    first, second = loader.next().x, loader.next().x
    assert not torch.equal(first.sum((1, 2, 3)).sort().values, second.sum((1, 2, 3)).sort().values)
    torch.manual_seed(3)
    loader.drawn = 0
    assert torch.equal(loader.next().x, first) and torch.equal(loader.next().x, second)


def test_examples_have_a_seed_of_their_own_and_leave_the_training_alone():
    data = nacre.load_data("mnist-dynamic")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    some = data.examples(10, seed=1).x
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(data.examples(10, seed=1).x, some)
    assert not torch.equal(data.examples(10, seed=2).x, some)


def test_the_test_part_is_binarized_once():
    train, test = nacre.load_data("mnist-dynamic"), nacre.load_data("mnist-dynamic:test")
    x = test.examples().x
    assert torch.equal(x, train.sibling("test").examples().x)
    assert torch.equal(test.batch(torch.arange(10)).x, x)
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert x.mean().item() == pytest.approx(nacre.load_data("mnist:test").examples().x.mean().item(), abs=0.02)
    assert test.spec == train.spec == nacre.load_data("mnist-dynamic:all").spec
    small = nacre.load_data("mnist-dynamic:test", size=14)
    assert small.spec == nacre.load_data("mnist-dynamic", size=14).spec
    assert set(small.examples().x.unique().tolist()) == {0.0, 1.0}
    assert "once with a fixed seed" in test.notes[0]


def test_a_stopped_training_goes_on_with_the_same_bits(tmp_path):
    options = {"latent": 2, "hidden": (8,), "network": "dense", "steps": 8, "batch_size": 10, "progress": False}
    whole = nacre.train("vae", "mnist-dynamic", **options)
    data, names = nacre.load_data("mnist-dynamic"), ("latent", "hidden", "network")
    torch.manual_seed(0)
    model = nacre.create("vae", data.spec, **{name: options[name] for name in names})
    training = {name: value for name, value in options.items() if name not in names}
    with pytest.raises(InterruptedTraining):
        model.fit(data, out=tmp_path / "run", callbacks=[StopAt(5)], **training)
    resumed = nacre.train("vae", "mnist-dynamic", out=tmp_path / "run", resume=True, **options)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
