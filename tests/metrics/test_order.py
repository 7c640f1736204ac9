"""What every metric of samples must say of four samplers: real, noisy, of one class, and of one example."""

from itertools import pairwise

import pytest
import torch

import nacre

METRICS = ["frechet", "kernel_distance", "precision_recall", "density_coverage"]

# From better to worse, by what each metric claims: fidelity, diversity or both. What it does not claim is not listed.
ORDER = {
    "frechet": [["real", "noisy", "one class"], ["real", "one example"]],
    "kernel_distance": [["real", "noisy", "one class"], ["real", "one example"]],
    "precision": [["real", "noisy"]],
    "recall": [["real", "one class", "one example"]],
    "density": [["real", "noisy"]],
    "coverage": [["real", "noisy"], ["real", "one class", "one example"]],
    "inception_score": [["real", "noisy", "one class"], ["real", "one example"]],
    "rarest_class": [["real", "one class"], ["real", "one example"]],
    "commonest_class": [["real", "one class"], ["real", "one example"]],
}
BLIND = ["precision", "density"]  # neither sees a collapse onto real examples


def values(samplers, data, metrics, **options):
    reports = {name: nacre.evaluate(x, data, metrics, **options) for name, x in samplers.items()}
    table = {r.name: {name: reports[name].get(r.name).value for name in samplers} for r in reports["one class"]}
    for result in reports["one class"]:
        lines = result.references
        table[result.name]["real"] = lines.get("real against real", lines.get("real examples"))
        if "noisy reals" in lines:
            table[result.name]["noisy"] = lines["noisy reals"]
    better = {r.name: r.better for r in reports["one class"]}
    return table, better


def check(table, better):
    for name, row in table.items():
        for order in ORDER[name]:
            ranked = [row[sampler] for sampler in order]
            ranked = ranked if better[name] == "lower" else ranked[::-1]
            assert all(a < b for a, b in pairwise(ranked)), (name, order, row)
    for name in BLIND:
        assert table[name]["one class"] > 0.8 * table[name]["real"], (name, table[name])
    assert table["recall"]["one class"] < 0.3 * table["recall"]["real"]


@pytest.mark.parametrize("features", ["data", "pca", "pixels"])
def test_digits(digits, features):
    real = digits.examples()
    one_class = real.x[real.y == 3]
    one_class = one_class[torch.randint(len(one_class), (400,))]
    samplers = {"one class": one_class, "one example": real.x[:1].repeat(400, 1, 1, 1)}
    metrics = [*METRICS, *(["inception_score", "rarest_class"] if features == "data" else [])]
    check(*values(samplers, "digits", metrics, features=features))


def test_a_ring_of_points():
    ring = nacre.load_data("ring")
    batch = ring.examples()
    one_class = batch.x[batch.y == 2][:1000]
    samplers = {"one class": one_class, "one example": batch.x[:1].repeat(1000, 1)}
    check(*values(samplers, "ring", METRICS, n=1000))
