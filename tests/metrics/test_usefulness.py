import pytest
import torch

import nacre
from nacre.data.dataset import Data
from nacre.errors import NacreError
from nacre.metrics import usefulness
from nacre.metrics.context import Context
from nacre.metrics.given import Given
from nacre.metrics.usefulness import macro_f1, measure


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(usefulness, "STEPS", 150)


def judged(digits, x, y, **options):
    """The results for labelled samples."""
    model = Given(digits.spec, Data(x, y, spec=digits.spec))
    return {result.name: result for result in measure(Context(model, digits, **options))}


def test_macro_f1_is_scikit_learns():
    from sklearn.metrics import f1_score

    generator = torch.Generator().manual_seed(0)
    truth, labels = (torch.randint(4, (200,), generator=generator) for _ in range(2))
    assert macro_f1(truth, labels, 4) == pytest.approx(f1_score(truth, labels, average="macro"), abs=1e-12)
    some = truth.clamp(max=2)
    assert macro_f1(some, some, 7) == 1
    wanted = f1_score(some, labels, average="macro", zero_division=0)
    assert macro_f1(some, labels, 4) == pytest.approx(wanted, abs=1e-12)


def test_the_order_of_samplers_is_right(digits):
    train = digits.examples()
    noise = torch.randn(train.x.shape, generator=torch.Generator().manual_seed(0))
    noisy = (train.x + 0.8 * noise).clamp(0, 1)
    results = [judged(digits, x, train.y) for x in (train.x, noisy, train.x[:1].expand_as(train.x))]
    values = [result["train_on_generated"].value for result in results]
    gains = [result["augmentation"].value for result in results]
    assert values == sorted(values, reverse=True)
    assert gains == sorted(gains, reverse=True)
    assert values[0] > 0.9
    assert values[2] < 0.25
    assert results[0]["train_on_generated"].references["real"] == pytest.approx(values[0], abs=0.04)
    assert results[0]["train_on_generated"].details["macro_f1"] == pytest.approx(values[0], abs=0.02)
    assert gains[0] > 0.01 > 0 > gains[2]
    assert results[0]["augmentation"].interval[0] < gains[0] < results[0]["augmentation"].interval[1]


def test_wrong_labels_are_of_no_use(digits):
    train = digits.examples()
    wrong = judged(digits, train.x, (train.y + 1) % 10)
    assert wrong["train_on_generated"].value < 0.05
    assert wrong["augmentation"].value < -0.3


def test_samples_without_a_class_keep_the_labels_of_the_others(digits):
    """Nine classes are numbered 0 to 8 by themselves, but as in the data when they are judged."""
    train = digits.examples()
    some = train.y > 0
    report = nacre.evaluate((train.x[some], train.y[some]), digits, ["usefulness"], n=700)
    assert 0.75 < report.get("train_on_generated").value < 0.95
    with pytest.raises(NacreError, match="there is no label '10' among 0, 1"):
        nacre.evaluate((train.x, train.y + 1), digits, ["usefulness"])


def test_a_model_without_labels_is_labelled_and_says_so(vae, digits):
    first, again = (nacre.evaluate(vae, digits, ["usefulness"], n=300) for _ in range(2))
    assert first == again
    on_generated, gain = first
    assert on_generated.protocol.method == "150 steps of 100, labelled by the data classifier"
    assert (on_generated.protocol.n_real, on_generated.protocol.n_generated) == (300, 300)
    assert 0.15 < on_generated.value < on_generated.references["real"]
    assert "30 real labels" in gain.protocol.method
    assert gain.protocol.method.endswith("labelled by the classifier of the real ones")
    details = gain.details
    assert gain.value == pytest.approx(details["accuracy of both"] - details["accuracy of real alone"], abs=1e-9)
    assert len(details["draws"]) == usefulness.SEEDS


def test_what_cannot_be_judged_is_refused(vae, digits):
    x = digits.examples(100)
    with pytest.raises(NacreError, match="the data have no labels"):
        nacre.evaluate(vae, x.x, ["usefulness"])
    with pytest.raises(NacreError, match="no training examples apart"):
        nacre.evaluate(vae, (x.x, x.y), ["usefulness"])
    points = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    plane = nacre.load_data((points, (points[:, 0] > 0).long()), split="train")
    with pytest.raises(NacreError, match="no classifier of these data to label them"):
        nacre.evaluate(nacre.create("gan", plane.spec), plane, ["usefulness"])
