"""InfoGAN: the information term is a bound, it moves generator and reader, and codes come to mean something."""

import math

import pytest
import torch

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.models.gans.infogan import InfoGAN

SPEC = Spec((2,))


def small(**options) -> InfoGAN:
    torch.manual_seed(0)
    return InfoGAN(SPEC, **{"latent": 3, "hidden": (16,), "categories": (4, 3), "continuous": 2, **options})


def test_codes_are_drawn_from_their_laws():
    model = small()
    torch.manual_seed(1)
    a, b, c = model.drawn(6000).split([4, 3, 2], 1)
    for onehot in (a, b):
        assert (onehot.sum(1) == 1).all() and set(onehot.unique().tolist()) == {0.0, 1.0}
        assert torch.allclose(onehot.mean(0), torch.full_like(onehot[0], 1 / onehot.shape[1]), atol=0.03)
    assert c.abs().max() <= 1 and c.mean().abs() < 0.03 and c.var().item() == pytest.approx(1 / 3, abs=0.02)
    assert model.latent == 3 + 9 and model.noise(5).shape == (5, 12)


@pytest.mark.parametrize("variance", ["fixed", "learned"])
def test_information_is_a_bound_that_a_perfect_reader_attains(variance):
    """Q that is certain and right gives log 4 + log 3; one that says nothing gives 0."""
    model = small(variance=variance)
    c = model.drawn(500)
    behind = [torch.zeros(500, 2)] if variance == "learned" else []
    right, _ = model.information(torch.cat([100 * c, *behind], 1), c)
    assert right.item() == pytest.approx(math.log(4) + math.log(3), abs=1e-5)
    nothing, _ = model.information(torch.cat([0 * c, *behind], 1), c)
    assert nothing.item() == pytest.approx(0, abs=1e-5)


def test_information_of_continuous_codes_is_that_of_a_normal_reader():
    """E[log N(c; m, s^2)] + log 2 per code, with s = 1 or as learned; here for a reader who is off by 0.1."""
    c = small().drawn(7)
    for model, read, sd in (
        (small(), c + 0.1, 1.0),
        (small(variance="learned"), torch.cat([c + 0.1, torch.full((7, 2), math.log(0.04))], 1), 0.2),
    ):
        law = torch.distributions.Normal(0.1, sd)
        expected = 2 * (law.log_prob(torch.tensor(0.0)).item() + math.log(2))
        assert model.information(read, c)[1].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("variance", ["fixed", "learned"])
def test_the_information_term_moves_the_generator_and_the_reader(variance):
    """Each term alone has a gradient for every weight of G, of Q and of the trunk that Q shares with D."""
    model = small(variance=variance)
    batch = Batch(x=torch.randn(64, 2))
    for term in ("categorical", "continuous"):
        made = torch.autograd.grad(model.generator_loss(batch)[term], list(model.generator.parameters()))
        d = model.discriminator
        read = torch.autograd.grad(
            model.discriminator_loss(batch)[term], [*d.reader.parameters(), *d.judge.trunk.parameters()]
        )
        assert all(g.abs().max() > 0 for g in (*made, *read))


def test_the_term_is_that_of_the_codes_the_samples_were_made_with():
    model, batch = small(info_weight=0.7), Batch(x=torch.randn(8, 2))
    torch.manual_seed(3)
    c, z = model.drawn(8), model.noise(8)
    read = model.discriminator(model.generator(torch.cat([z[:, :3], c], 1)))[:, 1:]
    expected = -0.7 * model.information(read, c)[0]
    torch.manual_seed(3)
    assert torch.allclose(model.generator_loss(batch)["categorical"], expected, atol=1e-6)


def test_samples_have_the_codes_asked_for():
    model = small().eval()
    z = model.noise(4)
    x = model.sample(4, seed=5, codes={"c1": [3, 0, 1, 2], "c4": -0.5})
    torch.manual_seed(5)
    z = model.noise(4)
    z[:, 3:7] = torch.eye(4)[[3, 0, 1, 2]]
    z[:, 11] = -0.5
    assert torch.allclose(x, model.decode(z), atol=1e-6)
    torch.manual_seed(5)
    assert torch.allclose(model.sample(4, seed=5), model.decode(model.noise(4)), atol=1e-6)
    codes = model.codes(x)
    assert codes.shape == (4, 9) and torch.allclose(codes[:, :4].sum(1), torch.ones(4))
    for codes, message in (
        ({"c9": 1}, "no code 'c9'"),
        ({"c2": 3}, "c2 must be whole and lie between 0 and 2"),
        ({"c2": 1.5}, "c2 must be whole"),
        ({"c3": [0.0, 1.0]}, "2 values of c3 were given for 4"),
    ):
        with pytest.raises(NacreError, match=message):
            model.sample(4, codes=codes)
    with pytest.raises(NacreError, match="needs codes"):
        small(categories=(), continuous=0)


def test_chunks_keep_their_own_codes():
    model = small()
    c1 = torch.arange(1500) % 4
    x = model.sample(1500, seed=0, codes={"c1": c1})
    y = model.sample(1500, seed=0, codes={"c1": c1.tolist()})
    assert torch.equal(x, y) and not torch.allclose(x[1000:], model.sample(1500, seed=0, codes={"c1": 0})[1000:])


def test_a_categorical_code_finds_the_modes_without_labels():
    """Four separate clusters, four values: after a short training each value makes one cluster of its own."""
    centres = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(4, (4096,), generator=generator)
    data = Data(centres[y] + 0.1 * torch.randn(4096, 2, generator=generator), spec=SPEC)
    torch.manual_seed(0)
    model = InfoGAN(SPEC, 4, hidden=(64, 64), categories=(4,), continuous=0, penalty=("r1",), gamma=0.1)
    model.fit(data, steps=150, batch_size=64, lr=3e-3, betas=(0.0, 0.99), ema=0.97, progress=False, doctor="off")
    found = torch.cdist(model.sample(400, seed=0, codes={"c1": torch.arange(4).repeat(100)}), centres).argmin(1)
    table = torch.stack([found[k::4].bincount(minlength=4) for k in range(4)])
    assert table.max(1).values.min() > 90 and set(table.argmax(1).tolist()) == {0, 1, 2, 3}
