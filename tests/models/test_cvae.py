"""Conditional models: conditions reach encoder and decoder, may be unknown, and are obeyed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import nacre
from nacre.data.attributes import ink, measure, slant, thickness
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.impute import impute
from nacre.models.autoencoders.attribute_vae import AttributeVAE
from nacre.models.autoencoders.cvae import CVAE
from nacre.nets.conditions import Conditions

SPEC = Spec.image(1, 6, 6, classes=("zero", "one", "two"), attributes=("ink", "slant"))


def conditions() -> Conditions:
    made = Conditions(SPEC, hidden=0.0)
    made.mean.copy_(torch.tensor([1.0, 2.0]))
    made.sd.copy_(torch.tensor([0.5, 4.0]))
    return made


def test_conditions_are_one_hot_and_standardised_with_flags():
    c = conditions()(2, torch.tensor([1, -1]), torch.tensor([[2.0, torch.nan], [1.0, 6.0]]))
    assert c.tolist() == [[0, 1, 0, 1, 2, 0, 1, 0], [0, 0, 0, 0, 0, 1, 1, 1]]
    assert not conditions()(3).any()


def test_emphasis_multiplies_all_that_is_told():
    loud = Conditions(SPEC, hidden=0.0, emphasis=3.0)
    told = torch.tensor([1, -1]), torch.tensor([[2.0, torch.nan], [1.0, 6.0]])
    assert torch.equal(loud(2, *told), 3 * Conditions(SPEC, hidden=0.0)(2, *told))
    assert CVAE(SPEC, emphasis=2.0).conditions.emphasis == 2
    with pytest.raises(NacreError, match="emphasis is 0; it must be positive"):
        CVAE(SPEC, emphasis=0)


def test_what_a_user_asks_for():
    made = conditions()
    labels, attributes = made.asked(2, ["two", 0], {"slant": [1.0, 3.0]})
    assert labels.tolist() == [2, 0]
    assert attributes[:, 1].tolist() == [1, 3] and attributes[:, 0].isnan().all()
    assert made.asked(3, "one")[0].tolist() == [1, 1, 1]
    for bad, message in (
        ({"labels": "three"}, "no class 'three'"),
        ({"labels": 3}, "between 0 and 2"),
        ({"labels": [0, 1, 2]}, "3 values of label"),
        ({"attributes": {"width": 1.0}}, "no attribute 'width'"),
    ):
        with pytest.raises(NacreError, match=message):
            made.asked(2, **bad)
    with pytest.raises(NacreError, match="needs data with labels or attributes"):
        Conditions(Spec.image(1, 6, 6))


@pytest.mark.parametrize("network", ["dense", "conv"])
def test_conditions_reach_both_networks_and_the_bound_ignores_them(network):
    torch.manual_seed(0)
    model = CVAE(SPEC, latent=2, hidden=(8,), channels=4, network=network, hiding=0.0).eval()
    x = torch.rand(4, 1, 6, 6)
    codes = [model.encode(x, labels=label) for label in (0, 1, -1)]
    images = [model.decode(torch.zeros(4, 2), labels=label) for label in (0, 1, -1)]
    for values in (codes, images):
        assert not torch.allclose(values[0], values[1]) and not torch.allclose(values[0], values[2])
    assert torch.equal(model.encode(x), codes[2])
    kl = model.latents.kl(model.posterior(x, labels=1))
    assert kl.shape == (4, 2) and (kl >= 0).all()
    x = x.repeat(500, 1, 1, 1)
    assert model.score_samples(x, draws=20, seed=0).mean() > model.score_samples(x, draws=1, seed=0).mean()


def test_hidden_conditions_are_hidden_in_training_only():
    torch.manual_seed(0)
    made = Conditions(SPEC, hidden=0.5)
    batch = Batch(x=torch.zeros(4000, 1), y=torch.ones(4000, dtype=torch.int64), a=torch.zeros(4000, 2))
    c = made.of_batch(batch)
    assert c[:, [3, 6, 7]].mean(0).tolist() == pytest.approx([0.5] * 3, abs=0.04)
    assert made.eval().of_batch(batch)[:, [3, 6, 7]].min() == 1


def test_many_samples_keep_their_own_conditions():
    """Samples are drawn in chunks; lists, tensors and dicts of conditions are cut along."""
    torch.manual_seed(0)
    model = CVAE(SPEC, latent=2, hidden=(8,))
    labels = [0] * 1000 + [2] * 500
    x = model.sample(1500, seed=0, labels=labels, attributes={"ink": [0.5] * 1500})
    same = model.sample(1500, seed=0, labels=torch.tensor(labels), attributes={"ink": 0.5})
    assert torch.equal(x, same)
    assert not torch.allclose(x[1000:], model.sample(1500, seed=0, labels=0, attributes={"ink": 0.5})[1000:])


def test_examples_come_back_as_what_the_model_is_told_they_are():
    torch.manual_seed(0)
    model = CVAE(SPEC, latent=2, hidden=(8,))
    x, labels = torch.rand(1500, 1, 6, 6), torch.arange(1500) % 3
    told = {"labels": labels, "attributes": {"ink": [0.5] * 1500}}
    back = model.reconstruct(x, **told)
    assert torch.equal(back, model.decode(model.encode(x, **told), **told))
    assert not torch.allclose(back, model.reconstruct(x))
    drawn = model.redraw(x, seed=0, **told)
    assert not torch.allclose(drawn, model.redraw(x, seed=0))
    gone = torch.zeros(6, 6, dtype=torch.bool)
    gone[3:] = True
    filled = impute(model, x, gone, steps=1, seed=3, **told)
    assert torch.equal(filled[..., :3, :], x[..., :3, :])
    assert not torch.allclose(filled, impute(model, x, gone, steps=1, seed=3))


def test_labels_that_were_not_asked_for_are_those_of_random_training_examples():
    torch.manual_seed(0)
    model = CVAE(SPEC, latent=2, hidden=(8,))
    model.conditions.labels.copy_(torch.arange(len(model.conditions.labels)) % 3)
    seen = []
    model.conditions.register_forward_hook(lambda module, given, c: seen.append(given))
    model.sample(600, seed=0, attributes={"ink": 0.5})
    _, labels, attributes = seen[0]
    assert labels.bincount(minlength=3).min() > 150
    assert (attributes[:, 0] == 0.5).all() and attributes[:, 1].isnan().all()


def test_reconstruction_is_judged_with_what_the_data_say():
    data = nacre.load_data("digits")
    model = nacre.create("cvae", data.spec, latent=2, hidden=(8,))
    found = nacre.evaluate(model, data, "reconstruction").get("reconstruction")
    batch = data.sibling("test").examples()
    error = (model.reconstruct(batch.x, labels=batch.y) - batch.x).square().mean()
    assert found.value == pytest.approx(float(error), rel=1e-5)
    assert "told their labels" in str(found.protocol)


def test_samples_obey_their_labels():
    data = nacre.load_data("digits")
    model = nacre.train("cvae", data, steps=600, latent=8, hidden=(128,), progress=False, lr=2e-3)
    from nacre.metrics.features import trained_classifier

    classifier, _ = trained_classifier(data)
    labels = torch.arange(10).repeat(30)
    found = classifier.classify(model.sample(300, seed=0, labels=labels)).argmax(1)
    assert (found == labels).float().mean() > 0.95
    shares = classifier.classify(model.sample(1000, seed=1)).argmax(1).bincount(minlength=10) / 1000
    assert ((shares > 0.06) & (shares < 0.15)).all(), "without labels they are drawn as in the data"


def bar(width: int, lean: float = 0.0) -> torch.Tensor:
    """A vertical stroke of 20 rows, shifted to the right by `lean` pixels per row upwards."""
    x = torch.zeros(1, 1, 40, 60)
    for row in range(10, 30):
        left = 25 + round(lean * (20 - row))
        x[0, 0, row, left : left + width] = 1
    return x


def test_thickness_and_slant_of_drawn_strokes():
    assert ink(bar(3)).item() == pytest.approx(60 / 2400)
    for width in (2, 4, 6):
        ideal = 2 * 20 * width / (2 * 20 + 2 * width)  # the two ends belong to the boundary
        assert thickness(bar(width)).item() == pytest.approx(ideal, rel=0.08)
    for lean in (-1.0, 0.0, 0.5, 1.0):
        assert slant(bar(3, lean)).item() == pytest.approx(lean, abs=0.03)
    with pytest.raises(NacreError, match="did you mean slant"):
        measure(bar(3), ["slan"])


def test_attributes_go_along_with_splits_batches_and_runs(tmp_path):
    data = nacre.load_data("digits", attributes=("thickness",))
    assert data.spec.attributes == ("thickness",)
    batch = data.examples(7)
    assert torch.allclose(batch.a[:, 0], thickness(batch.x))
    assert data.sibling("test").a.shape == (360, 1) and data.subset(torch.arange(5)).a.shape == (5, 1)
    assert data.fingerprint == nacre.load_data("digits").fingerprint
    with pytest.raises(NacreError, match="measured of images"):
        nacre.load_data("ring", attributes=("ink",))
    from nacre.cli.main import main

    run = str(tmp_path / "run")
    train = ["train", "cvae", "digits", "--attributes", "thickness", "slant", "--steps", "3", "--hidden", "8"]
    assert main([*train, "--no-progress", "--out", run]) == 0
    assert main(["train", "--resume", run, "--steps", "5"]) == 0
    model = nacre.load(run)
    assert model.spec.attributes == ("thickness", "slant")
    assert model.sample(2, seed=0, labels=3, attributes={"thickness": 1.5}).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_layered_sample_is_its_layers_mixed_by_the_gate(likelihood):
    torch.manual_seed(0)
    model = AttributeVAE(SPEC, latent=3, background=2, hidden=(8,), likelihood=likelihood)
    layers = model.sample_layers(5, seed=3, labels=1)
    assert layers.shape == (5, 3, 1, 6, 6)
    front, gate, back = layers.unbind(1)
    assert torch.allclose(model.sample(5, seed=3, labels=1), gate * front + (1 - gate) * back, atol=1e-3)


def test_the_background_does_not_know_the_conditions():
    torch.manual_seed(0)
    model = AttributeVAE(SPEC, latent=3, background=2, hidden=(8,))
    one, two = (model.sample_layers(4, seed=0, labels=label) for label in (0, 1))
    assert torch.equal(one[:, 2], two[:, 2]) and not torch.allclose(one[:, 0], two[:, 0])


def test_labels_may_be_given_as_any_sequence_and_one_stands_for_all():
    torch.manual_seed(0)
    model = CVAE(SPEC, latent=2, hidden=(8,))
    wanted = model.sample(1200, seed=0, labels=[1] * 1200)
    for labels in ((1,) * 1200, np.full(1200, 1), np.array(["one"] * 1200), [1], ["one"], "one", 1):
        assert torch.equal(model.sample(1200, seed=0, labels=labels), wanted), type(labels)
    with pytest.raises(NacreError, match="whole numbers"):
        model.sample(3, labels=1.7)


def test_data_without_the_models_classes_are_refused():
    digits = nacre.load_data("digits")
    model = nacre.create("cvae", replace(digits.spec, classes=("even", "odd")), latent=2, hidden=(8,))
    with pytest.raises(NacreError, match="10 classes and the model was made for 2"):
        model.fit(digits, steps=1, progress=False)
    with pytest.raises(NacreError, match="have no labels"):
        model.fit(Data(digits.examples(200).x, spec=replace(digits.spec, classes=())), steps=1, progress=False)
