"""The sparse autoencoder: the k largest, the schedule of k, dead units, and the rate of the KL."""

import pytest
import torch

import nacre
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.models.autoencoders.sparse_ae import SparseAE, bernoulli_kl

QUIET = {"device": "cpu", "progress": False}
SPEC = Spec((6,), center=(1.0,) * 6, scale=(2.0,) * 6)


def test_the_code_is_the_k_largest():
    model = SparseAE(SPEC, latent=20, k=4, wider=1.5)
    x = torch.randn(9, 6)
    h = (x - 1) / 2 @ model.encoder[0][0].weight.T + model.encoder[0][0].bias
    z = model.encode(x)
    assert ((z != 0).sum(1) == 6).all()
    assert torch.allclose(z[z != 0], h[z != 0], atol=1e-6)
    assert (torch.where(z != 0, h, torch.inf).amin(1) > torch.where(z == 0, h, -torch.inf).amax(1)).all()


@pytest.mark.parametrize(("progress", "k"), [(0.0, 16), (0.25, 10), (0.5, 4), (0.9, 4)])
def test_k_falls_while_training(progress, k):
    """The error is that of exactly k units, k falling linearly from start_k over the first half."""
    torch.manual_seed(0)
    model = SparseAE(SPEC, latent=20, k=4)
    model.progress.fill_(progress)
    x = torch.randn(9, 6)
    rows = (x - 1) / 2
    h = model.encoder(rows)
    best = h.topk(k, 1)
    z = torch.zeros_like(h).scatter(1, best.indices, best.values)
    expected = (z @ model.encoder[0][0].weight + model.decoder.biases[0] - rows).square().sum(1).mean()
    assert torch.allclose(model.few_units(Batch(x=x))["reconstruction"], expected, rtol=1e-5)
    assert torch.equal(model.kept, (z != 0).any(0))


@pytest.mark.parametrize("sparsity", ["top-k", "kl"])
def test_the_whole_example_is_restored_from_the_code_of_a_damaged_one(sparsity):
    torch.manual_seed(0)
    model = SparseAE(SPEC, sparsity=sparsity, latent=20, k=4, start_k=4, noise="gaussian", corruption=0.7)
    x = torch.randn(9, 6)
    rows = (x - 1) / 2
    torch.manual_seed(3)
    h = model.encoder(rows + 0.7 * torch.randn(9, 6))
    z = h if sparsity == "kl" else torch.where(h >= h.topk(4, 1).values[:, -1:], h, 0)
    expected = (z @ model.encoder[0][0].weight + model.decoder.biases[0] - rows).square().sum(1).mean()
    torch.manual_seed(3)
    assert torch.allclose(model.turns()[0].loss(Batch(x=x))["reconstruction"], expected, rtol=1e-5)
    assert torch.equal(model.encode(x), model.encode(x))  # what is encoded is not damaged


def test_every_unit_keeps_its_largest_values_over_the_batch():
    torch.manual_seed(0)
    model = SparseAE(SPEC, latent=20, sparsity="lifetime", rate=0.3)
    x = torch.randn(10, 6)
    rows = (x - 1) / 2
    h = (rows @ model.encoder[0][0].weight.T + model.encoder[0][0].bias).clamp(min=0)
    rank = h.argsort(0, descending=True).argsort(0)  # of every example in the eyes of a unit
    expected = ((h * (rank < 3)) @ model.encoder[0][0].weight + model.decoder.biases[0] - rows).square().sum(1).mean()
    assert torch.allclose(model.turns()[0].loss(Batch(x=x)), expected, rtol=1e-5)
    assert torch.allclose(model.encode(x), h, atol=1e-6)


def test_idle_steps_are_counted():
    model = SparseAE(SPEC, latent=4, k=1, start_k=1)
    for kept in ([1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 0, 0]):
        model.kept.copy_(torch.tensor(kept, dtype=torch.bool))
        model.count()
    assert model.idle.tolist() == [1, 0, 3, 2] and not model.kept.any()


def test_the_revival_is_the_error_of_the_dead_on_what_is_left():
    torch.manual_seed(0)
    model = SparseAE(SPEC, latent=20, k=2, start_k=2, revival=0.5, dead_after=3)
    x = torch.randn(9, 6)
    assert model.few_units(Batch(x=x))["revival"] == 0  # nobody is dead
    model.idle[5:8] = 3
    rows, weight = (x - 1) / 2, model.encoder[0][0].weight
    h = model.encoder(rows)
    best = h.topk(2, 1)
    rest = rows - torch.zeros_like(h).scatter(1, best.indices, best.values) @ weight - model.decoder.biases[0]
    dead = h[:, 5:8].topk(2, 1)
    explained = torch.zeros(9, 3).scatter(1, dead.indices, dead.values) @ weight[5:8]
    loss = model.few_units(Batch(x=x))["revival"]
    assert torch.allclose(loss, 0.5 * (explained - rest).square().sum(1).mean(), rtol=1e-5)
    (gradient,) = torch.autograd.grad(loss, model.encoder[0][0].weight)
    assert (gradient[5:8] != 0).any() and (gradient[:5] == 0).all() and (gradient[8:] == 0).all()


def test_dead_units_come_back():
    """Half of the units begin so low that they are never kept; with revival most of them serve in the end."""
    digits, serving = nacre.load_data("digits"), []
    for revival in (0.0, 0.1):
        torch.manual_seed(0)
        model = SparseAE(digits.spec, latent=80, k=5, revival=revival, dead_after=10)
        with torch.no_grad():
            model.encoder[0][0].bias[40:] = -1.5
        model.fit(digits, steps=300, lr=0.03, ema=0.9, **QUIET)
        serving.append((model.encode(digits.examples().x) != 0)[:, 40:].any(0).sum().item())
    assert serving[0] == 0 and serving[1] >= 20, serving


def test_the_kl_of_two_coins():
    q = torch.tensor([0.01, 0.3, 0.9])
    coin = torch.distributions.Bernoulli
    expected = torch.distributions.kl_divergence(coin(torch.tensor(0.05)), coin(q))
    assert torch.allclose(bernoulli_kl(0.05, q), expected, rtol=1e-5)
    assert bernoulli_kl(0.3, torch.tensor([0.3])) == 0
    assert bernoulli_kl(0.05, torch.tensor([0.0, 1.0])).isfinite().all()


def test_the_kl_keeps_units_at_their_rate():
    digits = nacre.load_data("digits")
    torch.manual_seed(0)
    model = SparseAE(digits.spec, latent=50, sparsity="kl", rate=0.1, weight=10.0)
    model.fit(digits, steps=300, lr=0.03, ema=0.9, **QUIET)
    activity = model.encode(digits.examples().x).mean(0)
    assert abs(activity.mean() - 0.1) < 0.03 and activity.max() < 0.3


def test_it_centres_on_the_data():
    x = 5 + torch.randn(200, 6)
    model = SparseAE(SPEC, latent=8, k=2)
    model.begin(Data(x, spec=SPEC))
    assert torch.allclose(model.centred(x).mean(0), torch.zeros(6), atol=1e-5)
    assert torch.allclose(model.decode(torch.zeros(1, 8)), x.mean(0), atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 9, "latent": 8}, "choose k <= start_k <= latent"),
        ({"k": 4, "start_k": 3, "latent": 8}, "choose k <= start_k <= latent"),
        ({"k": 4, "wider": 3.0, "latent": 8}, "more than all 8 units"),
        ({"rate": 1.0}, "rate is 1.0"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(NacreError, match=message):
        SparseAE(SPEC, **options)
