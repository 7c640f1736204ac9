import numpy as np
import pytest
import torch
from PIL import Image

import nacre
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.metrics import contrastive, features
from nacre.metrics.context import Context
from nacre.metrics.embedded import even, noisy


def test_the_classifier_is_trained_once(digits, monkeypatch):
    first = features.extractor(digits)
    monkeypatch.setattr(features, "train_network", lambda *_: pytest.fail("the cache was not used"))
    again = features.extractor(digits)
    x = digits.examples(50).x
    assert first.name == again.name == f"classifier features {first.digest}"
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


def test_features_of_real_examples_are_kept(digits, monkeypatch, tmp_path):
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path))
    monkeypatch.setattr(features, "steps", lambda train: 20)
    samples, embedded = digits.examples(400).x, []

    def judge(**options):
        network = features.Classifier
        whole = network.embed
        monkeypatch.setattr(network, "embed", lambda self, x: embedded.append(len(x)) or whole(self, x))
        embedded.clear()
        report = nacre.evaluate(samples, "digits", ["frechet", "precision_recall"], **options)
        monkeypatch.setattr(network, "embed", whole)
        return report, sorted(embedded)

    first, all_sets = judge()
    assert all_sets == [360, 400, 1437, 1437]  # held out, samples, training examples, the same with noise
    again, only_samples = judge()
    assert only_samples == [400]
    assert again == first
    kept = [file for file in (tmp_path / "features").glob("*.safetensors") if "128" not in file.name[17:20]]
    assert len(kept) == 3
    kept[0].write_bytes(kept[0].read_bytes()[:-4] + b"junk")
    repaired, two_sets = judge()
    assert len(two_sets) == 2
    assert repaired == first
    assert judge(seed=1)[1] != [400]


def test_unlabelled_vectors_have_principal_components():
    x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0)) @ torch.tensor(
        [[3.0, 0, 0, 0, 0], [0, 2, 0, 0, 1], [0, 0, 1, 0.1, 0]]
    )
    data = nacre.load_data(x, split="train")
    extract = features.extractor(data)
    values = extract(data.examples().x)
    assert extract.name.startswith("5 principal components")
    assert extract.name == features.extractor(data, "pca").name
    assert values.var(0).tolist() == sorted(values.var(0).tolist(), reverse=True)
    covariance = torch.cov(values.T)
    assert torch.allclose(covariance, covariance.diag().diag(), atol=1e-4)
    assert float(values.var(0).sum()) == pytest.approx(5, rel=0.02)  # five columns of one standard deviation


def test_a_column_in_other_units_weighs_the_same():
    x, y = torch.randn(200, 3), torch.randn(200, 3) + 0.5
    units = torch.tensor([1.0, 1e4, 1e-3])
    first, again = (
        nacre.evaluate(b, a, ["frechet"], features="pixels")[0].value for a, b in ((x, y), (x * units, y * units))
    )
    assert again == pytest.approx(first, rel=1e-4)


def test_pixels_are_the_values(digits):
    x = digits.examples(7).x
    assert torch.equal(features.extractor(digits, "pixels")(x), x.flatten(1).double())


def test_points_are_their_own_features():
    ring = nacre.load_data("ring")
    x = ring.examples(10).x
    assert torch.equal(features.extractor(ring)(x), x.double())


@pytest.fixture(scope="module")
def contrastive_digits(digits):
    """Digits without labels, for which the network is trained briefly."""
    patch = pytest.MonkeyPatch()
    patch.setattr(features, "CONTRASTIVE_STEPS", 200)
    unlabelled = digits.subset(torch.arange(len(digits)))
    unlabelled.y = None
    yield unlabelled
    patch.undo()


def test_images_without_labels_are_told_apart(digits, contrastive_digits, monkeypatch):
    from sklearn.linear_model import LogisticRegression

    extract = features.extractor(contrastive_digits)
    assert extract.name == f"contrastive features {extract.digest}"
    assert extract.classifier is None
    train, test = digits.examples(), digits.sibling("test").examples()

    def probe(extract):
        a, b = extract(train.x), extract(test.x)
        a, b = ((x - extract(train.x).mean(0)) / extract(train.x).std() for x in (a, b))
        return LogisticRegression(max_iter=500).fit(a.numpy(), train.y.numpy()).score(b.numpy(), test.y.numpy())

    assert probe(extract) > probe(features.extractor(digits, "pca"))
    monkeypatch.setattr(features, "train_network", lambda *_: pytest.fail("the cache was not used"))
    assert features.extractor(contrastive_digits).name == extract.name


def test_few_images_without_labels_have_principal_components():
    images = nacre.load_data(torch.rand(100, 3, 20, 16), split="train")
    assert features.extractor(images).name.startswith("64 principal components")


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 20, 32)])
def test_views_are_images_of_the_same_shape(shape):
    x = torch.rand(6, *shape)
    views = contrastive.view(x)
    assert views.shape == x.shape
    assert 0 <= float(views.min()) <= float(views.max()) <= 1
    assert not torch.allclose(views, contrastive.view(x), atol=0.05)
    network = contrastive.Contrastive(Spec.image(*shape), features.trunk(Spec.image(*shape)))
    assert network.embed(x).shape == (6, 128)


def test_it_finds_views_of_images_it_never_saw(digits, contrastive_digits):
    network, _ = features.trained_contrastive(contrastive_digits)
    torch.manual_seed(0)
    untrained = contrastive.Contrastive(digits.spec, features.trunk(digits.spec))
    batch = digits.sibling("test").examples(200, 3)
    with torch.no_grad():
        chance = float(torch.tensor(399.0).log())
        assert float(network.error(batch)) < 0.75 * chance < float(untrained.error(batch))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 64, 48), (1, 16, 16), (1, 8, 8)])
def test_the_trunk_takes_images_of_any_size(shape):
    spec = Spec.image(*shape)
    out = features.trunk(spec)(torch.rand(2, *shape))
    assert out.shape == (2, 128)
    assert out.min() >= 0


def test_noise_has_the_size_it_says():
    x = torch.randn(4000, 2) * torch.tensor([1.0, 100.0])
    added = noisy(x, Spec((2,)), 0) - x
    assert added.std(0).tolist() == pytest.approx([0.5, 50], rel=0.1)
    binary = (torch.rand(4000, 1, 4, 4) < 0.5).float()
    flipped = noisy(binary, Spec.image(1, 4, 4, binary=True), 0)
    assert set(flipped.unique().tolist()) == {0.0, 1.0}
    assert float((flipped != binary).float().mean()) == pytest.approx(0.05, abs=0.005)
    images = noisy(torch.rand(50, 1, 4, 4), Spec.image(1, 4, 4), 0)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1


def test_even_sets_are_drawn_without_order():
    a, b = torch.arange(100.0)[:, None], torch.arange(30.0)[:, None]
    first, second = even(a, b, 0)
    assert torch.equal(second, b)
    assert len(first) == len(first.unique()) == 30
    assert float(first.mean()) > 30


def test_data_without_a_split_are_halved(vae, digits):
    context = Context(vae, nacre.load_data(digits.examples(80).x), features="pixels")
    first, second = context.embedded.floor
    assert len(first) == len(second) == 40
    both = torch.cat([first, second])
    assert len(both.unique(dim=0)) == len(context.embedded.real.unique(dim=0))
    assert context.embedded.noisy[1].shape == (40, 64)


def test_samples_are_taken_as_an_array_or_a_folder(digits, tmp_path):
    pixels = (digits.examples(60).x[:, 0] * 255).round().byte().numpy()
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{i:03}.png")
    options = {"metrics": ["frechet", "precision_recall"], "features": "pixels"}
    folder = nacre.evaluate(tmp_path, "digits", **options)
    array = nacre.evaluate(pixels[:, None].astype(np.float32) / 255, "digits", **options)
    assert [r.value for r in folder] == pytest.approx([r.value for r in array], rel=1e-5)
    assert folder[0].protocol.n_generated == 60


def test_the_protocol_says_that_images_were_resized(tmp_path):
    for i, image in enumerate(torch.randint(0, 255, (12, 10, 10), dtype=torch.uint8).numpy()):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    data = nacre.load_data(tmp_path, size=(6, 8), split="all")
    (result,) = nacre.evaluate(data.examples().x, data, ["frechet"], features="pixels")
    assert result.protocol.resize == "6x8"
    assert "resized to 6x8" in str(result.protocol)


def test_an_unknown_extractor_is_named(vae):
    with pytest.raises(NacreError, match="there is no extractor 'pixel'; did you mean pixels"):
        nacre.evaluate(vae, "digits", ["frechet"], features="pixel")
