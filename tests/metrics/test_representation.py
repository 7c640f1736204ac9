import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot

import nacre
from nacre.errors import NacreError
from nacre.metrics import codes, labelled, probes, representation
from nacre.metrics.context import Context
from nacre.metrics.labelled import Task
from nacre.metrics.patches import contrast, kmeans, kmeans_features, triangle, zca
from nacre.metrics.probes import draw, fit_linear, linear_probe, nearest_neighbours, squared_hinge, standardised, vote
from nacre.metrics.remembered import remembered


@pytest.fixture(scope="module")
def rows(digits):
    batch = digits.examples(600)
    x = standardised(batch.x.flatten(1).double())[0]
    return x[:400], batch.y[:400], x[400:], batch.y[400:]


def test_the_probe_is_scikit_learns_logistic_regression(rows):
    from sklearn.linear_model import LogisticRegression

    x, y, test, _ = rows
    for strength in (1.0, 1e-2):
        weight, bias = fit_linear(x, y, 10, strength, tolerance=1e-9, steps=2_000)
        reference = LogisticRegression(C=1 / (strength * len(x)), tol=1e-9, max_iter=5_000).fit(x.numpy(), y.numpy())
        assert weight.T.numpy() == pytest.approx(reference.coef_, abs=1e-5)
        assert (bias - bias.mean()).numpy() == pytest.approx(
            reference.intercept_ - reference.intercept_.mean(), abs=1e-5
        )
        assert np.array_equal((test @ weight + bias).argmax(1).numpy(), reference.predict(test.numpy()))


def test_the_probe_keeps_the_stronger_of_equal_penalties(monkeypatch):
    """Features without a word to say lose as much under any penalty: the weakest would be the one to overfit."""
    strengths = []
    monkeypatch.setattr(probes, "fit_linear", lambda *a, **k: (strengths.append(a[3]), fit_linear(*a, **k))[1])
    y = torch.arange(600) % 3
    linear_probe(torch.zeros(600, 4), y, torch.zeros(5, 4), 3)
    assert strengths == [1.0, 0.1, 1.0]


def test_the_probe_of_four_examples_chooses_by_those_that_there_are(monkeypatch):
    """With an empty fold the loss would be no number, and the weakest penalty would win."""
    used = []
    monkeypatch.setattr(
        probes, "fit_linear", lambda *given, **options: used.append(given) or fit_linear(*given, **options)
    )
    x = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
    assert linear_probe(x, torch.tensor([0, 1, 1, 0]), x, 2).shape == (4,)
    assert all(len(given[0]) in (3, 4) for given in used) and len(used) < 4 * len(probes.STRENGTHS)


def test_the_svm_is_scikit_learns_linear_svc(rows):
    from sklearn.svm import LinearSVC

    x, y, test, _ = rows
    weight, bias = fit_linear(x, y, 10, 0.1, squared_hinge, tolerance=1e-9, steps=2_000)
    # liblinear penalises the intercept; a large scaling makes that penalty vanish.
    reference = LinearSVC(C=1 / (0.1 * len(x)), dual=False, tol=1e-9, intercept_scaling=100, max_iter=10_000)
    scores = reference.fit(x.numpy(), y.numpy()).decision_function(test.numpy())
    assert (test @ weight + bias).numpy() == pytest.approx(scores, abs=5e-3)


def test_neighbours_vote_as_in_scikit_learn(rows):
    from sklearn.neighbors import KNeighborsClassifier

    x, y, test, _ = rows
    for k in (1, 5):
        reference = KNeighborsClassifier(k).fit(x.numpy(), y.numpy()).predict(test.numpy())
        assert np.array_equal(vote(x, y, test, 10, k, chunk=70).numpy(), reference)
    others = [vote(torch.cat([x[:i], x[i + 1 :]]), torch.cat([y[:i], y[i + 1 :]]), x[i : i + 1], 10, 5) for i in (3, 8)]
    left_out = vote(x, y, x, 10, 5, skip=1)
    assert [int(label) for label in others] == left_out[[3, 8]].tolist()
    assert nearest_neighbours(x[:2], torch.tensor([0, 1]), test, 10).max() <= 1


def test_more_features_than_examples_lose_nothing_by_the_rotation():
    torch.manual_seed(0)
    x, test, y = torch.randn(30, 80).double(), torch.randn(20, 80).double(), torch.arange(30) % 3
    basis = torch.linalg.qr(x.T).Q
    fits = [fit_linear(part, y, 3, 0.1, tolerance=1e-10, steps=1_000) for part in (x, x @ basis)]
    assert torch.allclose(test @ fits[0][0], test @ basis @ fits[1][0], atol=1e-7)


def test_the_probe_finds_what_is_linear_and_nothing_in_noise(rows):
    x, y, test, truth = rows
    assert float((linear_probe(x, y, test, 10) == truth).double().mean()) > 0.93
    torch.manual_seed(0)
    noise = torch.randn(600, 20)
    found = linear_probe(noise[:400], y, noise[400:], 10)
    assert float((found == truth).double().mean()) < 0.2


def test_labels_are_drawn_in_equal_numbers_as_far_as_they_go():
    y = torch.tensor([0] * 50 + [1] * 50 + [2] * 3)
    index = draw(y, 31, seed=0)
    assert y[index].bincount().tolist() == [14, 14, 3]
    assert len(index.unique()) == 31
    assert torch.equal(index, draw(y, 31, seed=0))
    assert not torch.equal(index, draw(y, 31, seed=1))
    assert sorted(draw(y, 103, seed=0).tolist()) == list(range(103))


def test_standardising_blows_no_constant_up():
    x = torch.cat([torch.randn(500, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(500, 1)], 1)
    x[0, 3] = 1e-3
    scaled = standardised(x)[0]
    assert scaled.mean(0).abs().max() < 1e-5
    assert scaled.var(0)[:3].tolist() == pytest.approx([1, 1, 1], abs=0.02)
    assert scaled[:, 3].abs().max() < 0.02


def test_kmeans_agrees_with_scikit_learn(rows):
    from sklearn.cluster import KMeans

    x = rows[0]
    reference = KMeans(7, init=x[:7].numpy(), n_init=1, max_iter=300, tol=0).fit(x.numpy())
    centroids = kmeans(x, 7, rounds=300, start=x[:7])
    assert centroids.numpy() == pytest.approx(reference.cluster_centers_, abs=1e-8)
    lonely = kmeans(x, 2, start=torch.stack([x[0], x[0] + 1e6]))
    assert torch.allclose(lonely[0], x.mean(0))
    assert torch.equal(lonely[1], x[0] + 1e6)


def test_whitening_and_triangles_are_as_defined(rows):
    x = rows[0]
    covariance, whitener = torch.cov(x.T), zca(x)
    wanted = torch.linalg.solve(covariance + 0.1 * torch.eye(64).double(), covariance)
    assert torch.allclose(whitener @ covariance @ whitener, wanted, atol=1e-8)
    points = torch.tensor([[0.0, 0.0]])
    assert triangle(points, torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 3.0]])).tolist() == [[0.0, 2.0, 0.0]]
    assert torch.allclose(contrast(x), contrast(x + 3), atol=1e-10)


def test_patch_features_know_the_quadrant_and_not_the_brightness(digits):
    images = 0.5 * digits.examples(300).x
    features = kmeans_features(images)
    plain = features(images[:2])
    assert plain.shape == (2, 800)
    assert torch.allclose(features(images[:2] + 0.3), plain, atol=2e-2)
    changed = images[:2].clone()
    changed[:, :, :3, :3] = 0.7
    halves = [part.flatten() for part in (features(changed) - plain).abs().split(200, 1)]
    assert halves[0].max() > 0.1
    assert halves[3].max() == 0
    assert torch.equal(kmeans_features(images)(images), features(images))


class Oracle(nacre.Model):
    """Its codes are the labels, or noise."""

    def __init__(self, spec, digits, known):
        super().__init__(spec)
        self.answers = {tuple(x.flatten().tolist()): y for x, y in answers(digits)} if known else {}

    def encode(self, x, *, seed=None):
        noise = torch.randn(len(x), 10, generator=torch.Generator().manual_seed(len(x)))
        if not self.answers:
            return noise
        labels = torch.tensor([int(self.answers[tuple(row.flatten().tolist())]) for row in x])
        return one_hot(labels, 10) + 0.1 * noise


def answers(digits):
    for split in (digits, digits.sibling("test")):
        batch = split.examples()
        yield from zip(batch.x, batch.y, strict=True)


def test_good_codes_beat_the_pixels_and_noise_loses(digits):
    reports = {known: nacre.evaluate(Oracle(digits.spec, digits, known), digits, ["representation"], n=400)
               for known in (True, False)}  # fmt: skip
    for name in ("probe_100", "probe_all", "knn_100", "knn_all"):
        good, bad = (reports[known].get(name) for known in (True, False))
        assert good.value == 1 > good.references["k-means"] > 0.85
        assert bad.value < 0.2 < 0.6 < bad.references["PCA"] <= 1
        assert bad.references["pixels"] == good.references["pixels"]
        assert bad.interval[0] <= bad.value <= bad.interval[1]
    assert {result.name for result in reports[True]} == {"probe_100", "probe_all", "knn_100", "knn_all"}


def test_the_worst_draw_is_named_and_the_labels_are_counted(vae, digits):
    report = nacre.evaluate(vae, digits, ["representation"], n=400)
    few, all_ = report.get("probe_100"), report.get("probe_all")
    assert len(few.details["draws"]) == 5
    worst = few.details["worst"]
    assert few.details["draws"][worst["seed"]] == pytest.approx(worst["accuracy"], abs=1e-6)
    assert worst["accuracy"] == pytest.approx(min(few.details["draws"]), abs=1e-6)
    assert few.value == pytest.approx(sum(few.details["draws"]) / 5, abs=1e-6)
    assert "100 labels, 5 draws, logistic regression" in few.protocol.method
    assert few.protocol.features == "codes of 8 values"
    assert "400 of 1,437 labels" in all_.protocol.method
    assert all_.warnings == ("probe_all saw 400 of 1,437 labels; raise n for more.",)
    assert not few.warnings
    assert few.value > 0.6


def test_the_baselines_are_remembered(vae, digits, monkeypatch):
    first = nacre.evaluate(vae, digits, ["representation"], n=400)
    monkeypatch.setattr(codes, "kmeans", lambda *_: pytest.fail("the baseline was made again"))
    assert nacre.evaluate(vae, digits, ["representation"], n=400) == first


def test_what_is_remembered_has_its_own_key(tmp_path, monkeypatch):
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path))
    made = []

    def make():
        made.append(len(made))
        return {"all": [0.5]}

    assert remembered({"a": 1}, make) == remembered({"a": 1}, make) == {"all": [0.5]}
    assert len(made) == 1
    remembered({"a": 2}, make)
    assert len(made) == 2
    for file in (tmp_path / "references").iterdir():
        file.write_text("{")
    assert remembered({"a": 1}, make) == {"all": [0.5]}
    assert len(made) == 3
    (tmp_path / "file").touch()
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "file"))
    assert remembered({"a": 1}, make) == {"all": [0.5]}


def test_a_gan_is_judged_by_its_discriminator(digits):
    torch.manual_seed(0)
    model = nacre.create("dcgan", digits.spec, channels=4)
    x = digits.examples(30).x
    found = codes.model_codes(model, x)
    assert found.shape == (30, 4 * 16)  # one map of 4 channels and 4 x 4
    assert torch.equal(found, codes.model_codes(model, x))
    assert not any(layer._forward_hooks for layer in model.discriminator.modules())
    assert model.training
    dense = nacre.create("gan", digits.spec, hidden=(12, 20))
    assert codes.model_codes(dense, x).shape == (30, 32)
    assert codes.code_name(dense, 32) == "32 pooled activations of the discriminator"
    (result,) = nacre.evaluate(dense, digits, ["svm"], n=90)
    assert result.name == "svm_all"
    assert 0.2 < result.value < result.references["pixels"]


def test_a_discriminator_that_wants_more_than_an_example_is_none(digits):
    model = nacre.create("gan", digits.spec)
    assert codes.has_codes(model)
    model.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(128, 4), nn.ReLU())
    assert not codes.has_codes(model)
    model.discriminator = nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (1, 128)), nn.Linear(128, 4), nn.ReLU())
    assert not codes.has_codes(model)
    model.discriminator = nn.Bilinear(64, 1, 4)
    assert not codes.has_codes(model)


def test_pooling_takes_the_largest_of_each_part():
    x = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert codes.pooled(x)[0, :4].tolist() == [9, 11, 13, 15]
    assert codes.pooled(torch.rand(2, 3, 2, 5)).shape == (2, 3 * 2 * 4)
    assert codes.pooled(torch.rand(2, 7)).shape == (2, 7)


def test_pca_keeps_the_variance(digits):
    x = digits.examples(300).x
    train, test = codes.pca(x[:200], x[200:], 64)
    assert float(train.var(0).sum()) == pytest.approx(float(x[:200].flatten(1).var(0).sum()), rel=1e-3)
    assert test.shape == (100, 64)
    assert codes.pca(x[:200], x[200:], 1000)[0].shape == (200, 64)


def test_finetuning_is_held_against_random_weights(vae, digits, monkeypatch):
    monkeypatch.setattr("nacre.few_labels.STEPS", 200)
    monkeypatch.setattr("nacre.metrics.finetune.DRAWS", {100: 2})
    before = copy.deepcopy(vae.state_dict())
    report = nacre.evaluate(vae, digits, ["finetune"], n=300)
    accuracies = ["finetune_100", "finetune_all"]
    assert [result.name for result in report] == [*accuracies, "finetune_gain_100", "finetune_gain_all"]
    for name in accuracies:
        ahead = report.get(name).value - report.get(name).references["random weights"]
        assert report.get(name.replace("tune", "tune_gain")).value == pytest.approx(ahead, abs=1e-6)
    assert report.get("finetune_gain_100").interval and not report.get("finetune_gain_all").interval
    assert all(torch.equal(before[name], value) for name, value in vae.state_dict().items())
    result = report.get("finetune_all")
    assert 0.5 < result.value <= 1
    assert set(result.references) == {"random weights"}
    assert result.references["random weights"] != result.value
    assert nacre.evaluate(vae, digits, ["finetune"], n=300) == report


def test_the_numbers_of_labels_can_be_chosen(vae, digits):
    report = nacre.evaluate(vae, digits, ["representation"], labels=[20, 1_200, 5_000])
    probes = [result for result in report if result.name.startswith("probe")]
    assert [result.name for result in probes] == ["probe_20", "probe_1200", "probe_all"]  # there are 1,437 in all
    assert [len(result.details["draws"]) for result in probes] == [5, 1, 1]
    assert all(set(result.references) == {"pixels", "PCA", "k-means"} for result in probes)
    with pytest.raises(NacreError, match="give numbers of examples, or 0 for all"):
        nacre.evaluate(vae, digits, ["representation"], labels=[-1])


def test_what_cannot_be_judged_is_refused(vae, digits):
    x, y = digits.examples(100).x, digits.examples(100).y
    with pytest.raises(NacreError, match="the data have no labels"):
        nacre.evaluate(vae, x, ["representation"])
    with pytest.raises(NacreError, match="no training examples apart"):
        nacre.evaluate(vae, (x, y), ["representation"])
    with pytest.raises(NacreError, match="no encoder, and no discriminator"):
        nacre.evaluate(x, digits, ["representation"])
    with pytest.raises(NacreError, match="no encoder that can be trained on"):
        nacre.evaluate(x, digits, ["finetune"])
    ids = nacre.load_data((x, torch.arange(100)), split="train")
    assert labelled.label_obstacle(Context(vae, ids)) == "100 classes of 90 examples"


def test_all_labels_are_all_training_examples(vae, digits):
    task = Task.of(Context(vae, digits))
    drawn = task.draws(labelled.DRAWS)
    assert {name: len(draws) for name, draws in drawn.items()} == {"100": 5, "1000": 5, "all": 1}
    assert sorted(drawn["all"][0].tolist()) == list(range(1437))
    assert representation.CHEAP is False
