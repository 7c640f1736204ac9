import pytest
import torch

import nacre
from nacre.data.spec import Spec
from nacre.metrics import features


def test_the_classifier_is_trained_once(digits, monkeypatch):
    first = features.extractor(digits)
    monkeypatch.setattr(features, "train_classifier", lambda *_: pytest.fail("the cache was not used"))
    again = features.extractor(digits)
    x = digits.examples(50).x
    assert first.name == again.name
    assert torch.equal(first(x), again(x))
    assert first(x).shape == (50, 128)
    assert first(x).dtype == torch.float64


def test_a_damaged_cache_is_made_anew(digits, monkeypatch, tmp_path):
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path))
    monkeypatch.setattr(features, "steps", lambda train: 20)
    name = features.extractor(digits).name
    (file,) = (tmp_path / "features").glob("*.safetensors")
    content = file.read_bytes()
    assert file.name == f"{digits.fingerprint}-128.safetensors"
    for damage in (content[: len(content) // 2], content[:-8] + b"12345678", b""):
        file.write_bytes(damage)
        assert features.extractor(digits).name == name
        assert file.read_bytes() == content


def test_another_recipe_is_another_classifier(digits, monkeypatch, tmp_path):
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path))
    monkeypatch.setattr(features, "steps", lambda train: 20)
    name = features.extractor(digits).name
    monkeypatch.setattr(features, "steps", lambda train: 21)
    assert features.extractor(digits).name != name


def test_training_it_leaves_the_random_state_and_prints_nothing(digits, monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path))
    monkeypatch.setattr(features, "steps", lambda train: 20)
    before = torch.get_rng_state()
    features.extractor(digits)
    assert torch.equal(before, torch.get_rng_state())
    assert capfd.readouterr() == ("", "")


def test_a_cache_that_cannot_be_written_only_costs_time(digits, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(features, "steps", lambda train: 20)
    assert features.extractor(digits).classifier


def test_unlabelled_data_have_principal_components():
    x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0)) @ torch.tensor(
        [[3.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 1, 0]]
    )
    extract = features.extractor(nacre.load_data(x, split="train"))
    variances = extract(x).var(0)
    assert extract.name.startswith("4 principal components")
    assert variances[:3].tolist() == sorted(variances[:3].tolist(), reverse=True)
    assert float(variances.sum()) == pytest.approx(float(x.double().var(0).sum()), rel=0.1)


def test_points_are_their_own_features():
    ring = nacre.load_data("ring")
    x = ring.examples(10).x
    assert torch.equal(features.extractor(ring)(x), x.double())


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 64, 48), (1, 16, 16), (1, 8, 8)])
def test_the_trunk_takes_images_of_any_size(shape):
    spec = Spec.image(*shape)
    out = features.trunk(spec)(torch.rand(2, *shape))
    assert out.shape == (2, 128)
    assert out.min() >= 0
