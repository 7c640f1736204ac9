"""The order of the data: seeded, without repeats, and shared out among processes."""

import json
from itertools import chain

import pytest
import torch

import nacre
from nacre.data.dataset import Data
from nacre.data.loader import Loader
from nacre.data.spec import Spec
from nacre.engine.training import Training
from nacre.errors import NacreError

CPU = torch.device("cpu")
DATA = Data(torch.arange(24.0)[:, None], torch.arange(24) % 3, spec=Spec((1,)))


def loader(batch_size: int = 6, seed: int = 0, rank: int = 0, world: int = 1) -> Loader:
    return Loader(DATA, batch_size, seed, CPU, rank, world)


def draw(source: Loader, n: int) -> list[list[int]]:
    return [source.next().x[:, 0].int().tolist() for _ in range(n)]


def test_every_epoch_is_another_permutation():
    batches = draw(loader(), 12)
    epochs = [list(chain(*batches[i : i + 4])) for i in (0, 4, 8)]
    assert all(sorted(epoch) == list(range(24)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_what_fills_no_batch_waits_for_another_epoch():
    """With 24 examples and batches of 7 an epoch has three batches without repeats; in the end everybody had a turn."""
    batches = draw(loader(7), 60)
    for i in range(0, 60, 3):
        epoch = list(chain(*batches[i : i + 3]))
        assert len(set(epoch)) == len(epoch) == 21
    assert set(chain(*batches)) == set(range(24))


def test_the_order_is_a_function_of_the_seed_and_the_number_drawn():
    whole = draw(loader(seed=3), 11)
    assert draw(loader(seed=3), 11) == whole != draw(loader(seed=4), 11)
    for drawn in (0, 3, 4, 9):
        resumed = loader(seed=3)
        resumed.drawn = drawn
        assert draw(resumed, 2) == whole[drawn : drawn + 2]


def test_the_order_does_not_touch_the_global_random_state():
    state = torch.get_rng_state()
    draw(loader(), 5)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_each_batch_without_overlap(world):
    one = draw(loader(), 9)
    ranks = [draw(loader(rank=rank, world=world), 9) for rank in range(world)]
    for i, batch in enumerate(one):
        parts = [ranks[rank][i] for rank in range(world)]
        assert all(len(part) == 6 // world for part in parts)
        assert list(chain(*parts)) == batch


def test_labels_stay_with_their_examples():
    for _ in range(8):
        batch = (source := loader()).next()
        assert torch.equal(batch.y, batch.x[:, 0].long() % 3) and len(batch) == 6 and source.drawn == 1


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(NacreError, match="--batch-size 24"):
        loader(25)


def test_a_batch_that_processes_cannot_share_is_refused():
    with pytest.raises(NacreError, match="4 processes"):
        loader(6, world=4)


def test_the_models_own_batch_gives_way_to_fewer_examples_but_an_asked_one_does_not():
    usual = Training(accumulate=2)
    assert usual.for_data({}, 101).batch_size == 100
    assert usual.for_data({}, 101, world=4).batch_size == 96
    assert usual.for_data({}, 1_000) == usual
    assert Training(batch_size=500).for_data({"batch_size": 500}, 30).batch_size == 30
    assert Training(batch_size=64).for_data({"batch_size": 500}, 30).batch_size == 64


def test_a_small_table_is_trained_on_with_no_flags(tmp_path):
    rows = "".join(f"{i % 7},{'ab'[i % 2]}\n" for i in range(40))
    (tmp_path / "few.csv").write_text("size,kind\n" + rows)
    data = nacre.load_data(tmp_path / "few.csv")
    model = nacre.create("tabular-vae", data.spec, latent=2, hidden=(8,))
    model.fit(data, out=tmp_path / "run", steps=3, progress=False)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["training"]["batch_size"] == len(data)
    with pytest.raises(NacreError, match=f"--batch-size {len(data)}"):
        model.fit(data, steps=3, batch_size=100, progress=False)
