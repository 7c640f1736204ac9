"""Stacked digits and the modes in them, on small stand-ins for MNIST: bars whose place is the class."""

import math

import numpy as np
import pytest
import torch

import nacre
from nacre.data import stacked
from nacre.data.stacked import StackedData
from nacre.metrics.stacked_modes import numbers, reverse_kl


def bars(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of one bright column whose place is the label."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 10
    images = rng.integers(0, 40, (n, 14, 14), dtype=np.uint8)
    images[np.arange(n), :, labels + 2] = 255
    return images, labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with such images instead of MNIST."""
    place = tmp_path_factory.mktemp("data")
    (x_train, y_train), (x_test, y_test) = bars(400, 0), bars(100, 1)
    np.savez(place / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return place


@pytest.fixture(autouse=True)
def _stand_in(folder, monkeypatch):
    monkeypatch.setenv("NACRE_DATA", str(folder))
    monkeypatch.setattr(stacked, "COUNTS", {"train": 3000, "test": 1500})


def test_every_channel_is_a_digit_of_the_same_part():
    x_train, x_test = bars(400, 0)[0], bars(100, 1)[0]
    for data, x in ((nacre.load_data("stacked-mnist"), x_train), (nacre.load_data("stacked-mnist:test"), x_test)):
        assert isinstance(data, StackedData)
        index = torch.tensor([5, 0, 5])
        batch = data.batch(index)
        assert batch.x.shape == (3, 3, 14, 14) and batch.x.dtype == torch.float32 and list(batch) == ["x"]
        wanted = x[data.table[index].numpy()] / np.float32(255)
        assert np.allclose(batch.x.numpy(), wanted, atol=1e-7)
    assert (data.spec.kind, data.spec.shape, data.spec.name, data.y) == ("image", (3, 14, 14), "stacked-mnist", None)
    assert nacre.load_data("stacked-mnist-2").spec.shape == (2, 14, 14)
    assert nacre.load_data("stacked-mnist", size=7).batch(torch.tensor([1])).x.shape == (1, 3, 7, 7)


def test_the_draws_are_seeded_and_even():
    data, again, other = (nacre.load_data("stacked-mnist", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(data.table, again.table) and data.fingerprint == again.fingerprint
    assert not torch.equal(data.table, other.table) and data.fingerprint != other.fingerprint
    assert (len(data), len(data.sibling("test"))) == (3000, 1500)
    counts = data.table.flatten().bincount(minlength=400).double()
    assert counts.var() == pytest.approx(22.5, rel=0.3)  # Poisson of 9000 / 400


def test_it_is_data_like_any_other():
    data = nacre.load_data("stacked-mnist")
    part = data.subset(torch.tensor([3, 1]))
    assert len(part) == 2 and part.fingerprint != data.fingerprint
    assert torch.equal(part.examples().x, data.batch(torch.tensor([3, 1])).x)
    assert torch.equal(data.to("cpu").examples(9, 2).x, data.examples(9, 2).x)
    assert data.storage == torch.uint8 and data.device.type == "cpu"
    model = nacre.train("gan", data, steps=2, hidden=(8,), latent=2, progress=False)
    assert model.sample(2, seed=0).shape == (2, 3, 14, 14)
    with pytest.raises(nacre.NacreError, match="has no split 'validation'; it has train, test"):
        nacre.load_data("stacked-mnist:validation")


def test_real_stacks_have_all_modes_at_the_floor_and_copies_one():
    data = nacre.load_data("stacked-mnist-2")
    held = data.sibling("test").examples().x
    modes, divergence = nacre.evaluate(held, data, ["stacked_modes"])
    assert modes.value == modes.references["real examples"] == 100
    assert modes.references["uniform"] == pytest.approx(100, abs=0.01)
    assert modes.details["classifier_accuracy"] == 1
    assert divergence.references["uniform"] == 99 / 3000
    assert divergence.value == pytest.approx(99 / 3000, rel=0.4)
    modes, divergence = nacre.evaluate(held[:1].expand(500, -1, -1, -1), data, ["stacked_modes"])
    assert modes.value == 1 and divergence.value == pytest.approx(math.log(100))
    assert divergence.interval == pytest.approx((math.log(100), math.log(100)))


def test_numbers_are_read_channel_by_channel():
    data = nacre.load_data("stacked-mnist")
    from nacre.metrics.features import trained_classifier

    classifier, _ = trained_classifier(data.digits)
    batch = data.examples(200)
    rows = data.table[torch.randperm(3000, generator=torch.Generator().manual_seed(0))[:200]]
    wanted = (data.digits.y[rows] * torch.tensor([100, 10, 1])).sum(1)
    assert torch.equal(numbers(classifier, batch.x), wanted)


def test_the_divergence_is_that_of_the_shares():
    shown = torch.tensor([0, 0, 1, 3])
    wanted = 0.5 * math.log(2) + 2 * 0.25 * math.log(1)
    assert reverse_kl(shown, 4) == pytest.approx(wanted, abs=1e-12)
    assert reverse_kl(torch.arange(50), 50) == pytest.approx(0, abs=1e-12)


def test_other_data_are_refused(vae):
    with pytest.raises(nacre.NacreError, match="no stacked digits"):
        nacre.evaluate(vae, "digits", ["stacked_modes"])
    with pytest.raises(nacre.NacreError, match="it makes no samples"):
        model = nacre.create("ae", nacre.load_data("stacked-mnist").spec)
        nacre.evaluate(model, "stacked-mnist", ["stacked_modes"])
