import pytest
import torch

import nacre
from nacre.classifier import few_labels, usual


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
