import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.metrics import memorisation
from nacre.metrics.context import Context
from nacre.metrics.memorisation import Search, measure, probability_nearer


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_search_agrees_with_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    queries, training = 100 + normal(50, 6), 100 + normal(300, 6, seed=1)
    training[17] = queries[3]
    search = Search(queries)
    for part in training.split(70):
        search.look(part)
    distance, index = (
        NearestNeighbors(n_neighbors=2, algorithm="brute").fit(training.double()).kneighbors(queries.double())
    )
    found = search.nearest
    assert found.row.tolist() == index[:, 0].tolist()
    assert found.distance.tolist() == pytest.approx(distance[:, 0].tolist(), abs=1e-5)
    assert found.ratio.tolist() == pytest.approx((distance[:, 0] / distance[:, 1]).tolist(), abs=1e-5)
    assert found.distance[3] == found.ratio[3] == 0


def test_a_single_training_example_and_twins_have_no_ratio_to_speak_of():
    alone, twins = Search(normal(5, 2)), Search(normal(5, 2))
    alone.look(normal(1, 2, seed=1))
    assert alone.nearest.ratio.tolist() == [0.0] * 5
    twins.look(normal(1, 2, seed=1).repeat(2, 1))
    assert twins.nearest.ratio.tolist() == [1.0] * 5
    assert twins.nearest.distance.tolist() == alone.nearest.distance.tolist()


def test_the_probability_is_that_of_mann_and_whitney():
    from scipy.stats import mannwhitneyu

    a, b = normal(40).mul(2).round().double(), normal(60, seed=1).mul(2).round().double()
    value, _ = probability_nearer(a, b)
    assert value == pytest.approx(mannwhitneyu(b.numpy(), a.numpy()).statistic / (40 * 60), abs=1e-12)
    assert probability_nearer(a, a)[0] == pytest.approx(0.5)
    assert probability_nearer(a - 100, b) == (1.0, 0.0)


def test_its_standard_error_is_that_of_the_null():
    """For one distribution the variance of the statistic is (n + m + 1) / (12 n m)."""
    value, error = probability_nearer(normal(2000).double(), normal(1000, seed=1).double())
    assert error == pytest.approx((3001 / 12 / 2000 / 1000) ** 0.5, rel=0.03)
    assert abs(value - 0.5) < 4 * error


def judged(vae, digits, samples, **options):
    context = Context(vae, digits, **options)
    context.__dict__["generated"] = samples
    return measure(context)


def test_copies_are_found_and_other_real_examples_are_none(vae, digits):
    train, test = digits.examples().x, digits.sibling("test").examples().x
    wanted = {
        "copies": (train, 1.0, 1.0), "real": (test, 0.5, 0.05),
        "noise": (normal(500, 1, 8, 8).abs().clamp(0, 1), 0.0, 0.0),
        "noisy copies": ((train + 0.01 * normal(*train.shape)).clamp(0, 1), 1.0, 1.0),
    }  # fmt: skip
    for kind, (samples, value, share) in wanted.items():
        main, memorised = judged(vae, digits, samples)
        assert main.value == pytest.approx(value, abs=0.03), kind
        assert main.details["pixels"] == pytest.approx(value, abs=0.03), kind
        assert memorised.value == pytest.approx(share, abs=0.02), kind
        assert main.details["copies"] == (len(samples) if kind == "copies" else 0)
        assert main.details["copies among held-out examples"] == 0
        assert main.interval[0] <= main.value <= main.interval[1]


def test_one_copy_among_many_is_counted(vae, digits):
    samples = vae.sample(300, seed=0)
    samples[42] = digits.examples().x[7]
    main, _ = judged(vae, digits, samples)
    assert main.details["copies"] == 1


def test_typical_samples_are_told_from_copies(vae, digits):
    """The means of classes are near to training examples without being copies of any."""
    train = digits.examples()
    means = torch.stack([train.x[train.y == label].mean(0) for label in range(10)])
    main, _ = judged(vae, digits, means.repeat(20, 1, 1, 1))
    assert main.details["pixels"] > 0.5
    if main.value > memorisation.HIGH:
        assert "without being copies" in main.warnings[0]
    copies = judged(vae, digits, train.x)[0]
    assert copies.details["relative to the second nearest"] > 0.97
    assert not copies.warnings


def test_the_closest_pairs_are_drawn(vae, digits, tmp_path):
    from PIL import Image

    samples = vae.sample(200, seed=0)
    samples[9] = digits.examples().x[3]
    judged(vae, digits, samples, pictures=tmp_path)
    with Image.open(tmp_path / "memorisation.png") as picture:
        assert picture.width / picture.height == pytest.approx((8 * 9 - 1) / (2 * 9 - 1))
        zoom = picture.width // 71
        first, below = (picture.crop((0, top * zoom, 8 * zoom, (top + 8) * zoom)) for top in (0, 9))
        assert first.tobytes() == below.tobytes()


def test_the_examples_are_counted_and_the_seed_decides(vae, digits):
    first, again = (nacre.evaluate(vae, digits, ["memorisation"], n=150, seed=1) for _ in range(2))
    assert first == again
    assert {(r.protocol.n_real, r.protocol.n_generated) for r in first} == {(150, 150)}
    assert "1,437 training examples" in first[0].protocol.method


def test_without_training_examples_it_is_refused(vae, digits):
    with pytest.raises(NacreError, match="no training examples apart"):
        nacre.evaluate(vae, digits.examples(50).x, ["memorisation"])
