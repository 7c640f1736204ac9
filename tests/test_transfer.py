from dataclasses import replace

import pytest
import torch

import nacre
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.few_labels import few_labels, usual


@pytest.fixture(scope="module")
def stacked():
    return nacre.train("stacked-ae", "digits", hidden=(128, 64), steps=2000, progress=False)


@pytest.mark.parametrize(("frozen", "gain"), [(0.3, 0.0), (1.0, 0.15)])
def test_transfer_beats_the_same_net_from_random_weights(stacked, frozen, gain):
    """With 20 labels a pretrained stack classifies held-out digits better, in each of 3 draws of the labels."""
    test = nacre.load_data("digits:test")
    torch.manual_seed(0)
    fresh = nacre.create("stacked-ae", stacked.spec, hidden=(128, 64))
    for seed in range(3):
        options = {
            "labels": 20,
            "seed": seed,
            "steps": 300,
            "frozen": frozen,
            "lr": 1e-3,
            "drop": 0.0,
            "drop_input": 0.0,
        }
        pretrained = nacre.transfer(stacked, "digits", **options).accuracy(test)
        random = nacre.transfer(fresh, "digits", **options).accuracy(test)
        assert pretrained > random + gain


def test_transfer_leaves_the_model_as_it_is_and_freezes_on_request(stacked):
    before = {key: value.clone() for key, value in stacked.state_dict().items()}
    classifier = nacre.transfer(stacked, "digits", labels=100, frozen=1.0, steps=20)
    assert all(torch.equal(before[key], value) for key, value in stacked.state_dict().items())
    copied = classifier.trunk.model.state_dict()
    assert all(torch.equal(before[key], copied[key]) for key in before)
    unfrozen = nacre.transfer(stacked, "digits", labels=100, frozen=0.5, steps=20).trunk.model.state_dict()
    assert not torch.equal(before["encoder.0.0.weight"], unfrozen["encoder.0.0.weight"])


def test_mistakes_are_named(stacked):
    with pytest.raises(nacre.NacreError, match="no labels"):
        nacre.transfer(stacked, nacre.load_data("digits").examples().x)
    with pytest.raises(nacre.NacreError, match="fewer than"):
        nacre.transfer(stacked, "digits", labels=5000)
    with pytest.raises(nacre.NacreError, match="no encoder to transfer"):
        nacre.transfer(nacre.create("gan", stacked.spec), "digits")


def test_every_draw_stands_beside_random_weights(stacked):
    """Both networks get the same labels; a draw is what one transfer with its seed gives."""
    test, told = nacre.load_data("digits:test"), []
    options = {"labels": 20, "steps": 60, "lr": 2e-3, "player_lr": {"trunk": 1e-3}, "hidden": (16,), "drop": 0.2}
    found = few_labels(stacked, "digits", test, draws=3, seed=5, report=told.append, **options)
    assert [draw.seed for draw in found.draws] == [5, 6, 7] and tuple(told) == found.draws
    again = nacre.transfer(stacked, "digits", seed=6, **options).accuracy(test)
    assert found.draws[1].accuracy == again
    assert found.worst.accuracy == min(draw.accuracy for draw in found.draws)
    assert found.to_dict()["gain"] == pytest.approx(found.mean - found.random)
    assert found.mean > found.random
    assert found == few_labels(stacked, "digits", test, draws=3, seed=5, **options)


def test_new_layers_come_between_the_code_and_the_classes(stacked):
    classifier = nacre.transfer(stacked, "digits", labels=20, steps=1, hidden=(17, 5))
    assert [tuple(p.shape) for p in classifier.head.parameters()] == [(17, 64), (17,), (5, 17), (5,), (10, 5), (10,)]


def test_only_the_lower_layers_are_reused(stacked):
    x = nacre.load_data("digits:test").examples(5).x
    classifier = nacre.transfer(stacked, "digits", labels=20, steps=1, frozen=1.0, layers=1)
    assert torch.equal(classifier.embed(x), stacked.eval().encoder[0](x.flatten(1)))
    assert len(stacked.encoder) == 2
    with pytest.raises(nacre.NacreError, match="this encoder has 2"):
        nacre.transfer(stacked, "digits", labels=20, layers=3)
    with pytest.raises(nacre.NacreError, match="no stack of layers"):
        nacre.transfer(nacre.create("ae", stacked.spec), "digits", labels=20, layers=1)


def test_dropout_is_for_training_only(stacked):
    x = nacre.load_data("digits:test").examples(5).x
    classifier = nacre.transfer(stacked, "digits", labels=20, steps=1, drop=0.9)
    assert torch.equal(classifier.classify(x), classifier.classify(x))
    batch = nacre.load_data("digits").batch(torch.arange(9))
    assert not torch.equal(classifier.error(batch), classifier.error(batch))


def test_dropout_lies_between_the_layers_of_a_stack_too(stacked):
    """With all but a thousandth of it gone, the first layer says nothing, and the features no longer differ."""
    batch = nacre.load_data("digits").batch(torch.arange(9))
    classifier = nacre.transfer(stacked, "digits", labels=20, steps=1, drop=0.999)
    classifier.train()
    torch.manual_seed(0)
    assert classifier.features(batch.x).unique(dim=0).shape[0] < 5
    assert classifier.embed(batch.x).unique(dim=0).shape[0] == 9
    assert [len(layer) for layer in stacked.encoder] == [2] * len(stacked.encoder)


def test_part_of_the_input_is_left_out(stacked):
    """With all but a thousandth of it gone, the zeros are all that the encoder sees."""
    batch = nacre.load_data("digits").batch(torch.arange(9))
    classifier = nacre.transfer(stacked, "digits", labels=20, steps=1, drop=0.0, drop_input=0.999)
    seen = []
    classifier.trunk.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    torch.manual_seed(0)
    classifier.error(batch)
    classifier.classify(batch.x)
    assert (seen[0] == 0).float().mean() > 0.95
    assert torch.equal(seen[1], batch.x)


def test_more_labels_take_more_steps_and_a_faster_encoder():
    few, many = usual(20, 3e-3), usual(60_000, 3e-3)
    assert (few["steps"], few["batch_size"], few["player_lr"]) == (500, 20, {"trunk": pytest.approx(3e-4)})
    assert (many["steps"], many["batch_size"], many["player_lr"]) == (23_220, 100, {"trunk": pytest.approx(1e-3)})


def shifted(offset: float) -> tuple[Data, Data]:
    """Two classes of vectors apart in one column, everything moved by an offset; for training and for the test."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(400) % 2
    x = torch.randn(400, 3, generator=generator) + offset
    x[:, 0] += 8.0 * y
    spec = Spec(
        (3,), classes=("a", "b"), center=tuple(x.mean(0).tolist()), scale=tuple(x.std(0).tolist()), columns=tuple("uvw")
    )
    return Data(x[:300], y[:300], spec=spec), Data(x[300:], y[300:], spec=spec)


def test_what_is_left_out_of_a_vector_stands_at_the_middle_of_its_column():
    data, test = shifted(1000.0)
    model = nacre.create("ae", data.spec, latent=3, hidden=(16,), network="dense")
    model.fit(data, steps=200, progress=False)
    assert nacre.transfer(model, data, drop_input=0.3, drop=0.0, frozen=0.0, lr=1e-2).accuracy(test) > 0.9


def test_what_is_left_out_of_a_table_is_missing(tmp_path):
    rows = "".join(f"{i % 13},{'abcd'[i % 4]},{'xy'[i % 2]}\n" for i in range(200))
    (tmp_path / "t.csv").write_text("size,kind,label\n" + rows)
    data = nacre.load_data(tmp_path / "t.csv", label="label")
    model = nacre.create("tabular-vae", data.spec, latent=2, hidden=(8,))
    model.fit(data, steps=5, progress=False)
    classifier = nacre.transfer(model, data, steps=5, drop_input=0.5)
    x = data.examples(50).x
    thinned = classifier.thinned(x)
    assert 0.3 < thinned.isnan().float().mean() < 0.7
    assert torch.equal(thinned[~thinned.isnan()], x[~thinned.isnan()])


def test_classes_are_compared_by_name(stacked):
    data, test = shifted(0.0)
    model = nacre.create("ae", data.spec, latent=3, hidden=(16,), network="dense")
    classifier = nacre.transfer(model.fit(data, steps=50, progress=False), data, drop=0.0, frozen=0.0, lr=1e-2)
    only_b = test.subset((test.y == 1).nonzero().flatten())
    alone = Data(only_b.x, torch.zeros(len(only_b), dtype=torch.int64), spec=replace(test.spec, classes=("b",)))
    assert classifier.accuracy(alone) == classifier.accuracy(only_b) > 0.9
    with pytest.raises(NacreError, match="'c'; the classifier was trained on a, b"):
        classifier.accuracy(Data(alone.x, alone.y, spec=replace(test.spec, classes=("c",))))


def test_what_transfer_cannot_do_is_said_before_it_trains(stacked, tmp_path):
    with pytest.raises(NacreError, match="labels is -5"):
        nacre.transfer(stacked, "digits", labels=-5)
    with pytest.raises(NacreError, match="no run folder"):
        nacre.transfer(stacked, "digits", labels=20, out=tmp_path / "run")
    classifier = nacre.transfer(stacked, "digits", labels=20, steps=1)
    with pytest.raises(NacreError, match="state_dict"):
        classifier.save_pretrained(tmp_path / "classifier")
    assert not list(tmp_path.iterdir())


def test_a_boltzmann_machine_has_an_encoder_too():
    data = nacre.load_data("digits")
    machine = nacre.train("rbm", data, steps=100, hidden=64, progress=False)
    found = few_labels(machine, data, "digits:test", labels=100, draws=1, steps=300)
    assert found.mean > 0.5
