"""The adversarial games: who sees which batch, and what each loss is."""

from functools import wraps

import pytest
import torch
from torch.nn.functional import softplus

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.game import Batch
from nacre.losses.penalties import gradient_penalty
from nacre.models.gans.gan import GAN
from nacre.models.gans.wgan_gp import WGANGP

SPEC = Spec((2,), scale=(30.0,))
DATA = Data(torch.arange(64.0)[:, None].repeat(1, 2), spec=SPEC)


def drawn_by(model, *losses: str, steps: int) -> list[tuple[str, frozenset[float]]]:
    """Which loss was played on which examples, in order."""
    seen = []

    def watch(name: str):
        loss = getattr(model, name)

        @wraps(loss)
        def watched(batch):
            seen.append((name, frozenset(batch.x[:, 0].tolist())))
            return loss(batch)

        setattr(model, name, watched)

    for name in losses:
        watch(name)
    model.fit(DATA, steps=steps, batch_size=8, device="cpu", progress=False)
    return seen


@pytest.mark.parametrize(
    ("make", "judge"),
    [
        (lambda k: GAN(SPEC, latent=2, hidden=(4,), n_critic=k), "discriminator_loss"),
        (lambda k: WGANGP(SPEC, latent=2, hidden=(4,), n_critic=k), "discriminator_loss"),
    ],
    ids=["gan", "wgan-gp"],
)
@pytest.mark.parametrize("k", [1, 3])
def test_the_judge_plays_k_times_on_fresh_batches(make, judge, k):
    seen = drawn_by(make(k), judge, "generator_loss", steps=2)
    assert [name for name, _ in seen] == ([judge] * k + ["generator_loss"]) * 2
    batches = [batch for name, batch in seen if name == judge]
    assert len(set(batches)) == 2 * k and not frozenset.intersection(*batches)
    assert sum(map(len, batches)) == len(frozenset.union(*batches)), "an example came twice within an epoch"


@pytest.mark.parametrize("cost", ["minimax", "non-saturating", "maximum-likelihood"])
def test_the_gans_losses_are_the_papers_costs_of_its_networks(cost):
    model, x = GAN(SPEC, latent=3, hidden=(4,), game=cost), torch.randn(6, 2)
    torch.manual_seed(1)
    real, fake = model.discriminator(x), model.discriminator(model.generator(torch.randn(6, 3)))
    torch.manual_seed(1)
    terms = model.discriminator_loss(Batch(x=x))
    assert list(terms) == [cost]
    assert torch.allclose(terms[cost], (softplus(-real) + softplus(fake)).mean())
    expected = {
        "minimax": -softplus(fake),
        "non-saturating": softplus(-fake),
        "maximum-likelihood": -fake.exp(),
    }[cost].mean()
    torch.manual_seed(1)
    assert torch.allclose(model.generator_loss(Batch(x=x))[cost], expected)


def test_every_generator_cost_moves_the_generator_towards_what_the_judge_likes():
    """A fixed judge that likes large x gets larger x after a step down any of the three costs."""
    for cost in ("minimax", "non-saturating", "maximum-likelihood"):
        torch.manual_seed(0)
        model = GAN(Spec((1,)), latent=2, hidden=(8,), game=cost)
        model.discriminator = torch.nn.Sequential(torch.nn.Linear(1, 1))
        torch.nn.init.ones_(model.discriminator[0].weight)
        z = torch.randn(100, 2)
        before = model.generator(z).mean()
        for p, g in zip(
            model.generator.parameters(),
            torch.autograd.grad(model.generator_loss(Batch(x=torch.zeros(100, 1)))[cost], model.generator.parameters()),
            strict=True,
        ):
            p.data -= 0.01 * g
        assert model.generator(z).mean() > before


def test_the_wgan_critics_loss_is_its_two_terms():
    model, x = WGANGP(SPEC, latent=3, hidden=(4,), gamma=7.0), torch.randn(6, 2)
    torch.manual_seed(1)
    fake = model.generator(torch.randn(6, 3))
    penalty = gradient_penalty(model.discriminator, x, fake)
    torch.manual_seed(1)
    terms = model.discriminator_loss(Batch(x=x))
    assert list(terms) == ["wasserstein", "two-sided"]
    assert torch.allclose(terms["wasserstein"], model.discriminator(fake).mean() - model.discriminator(x).mean())
    assert torch.allclose(terms["two-sided"], 7 * penalty, rtol=1e-5)


def test_no_term_of_the_wgan_sees_a_constant_of_the_critic():
    model = WGANGP(SPEC, hidden=(4,))
    assert model.discriminator.head.bias is None
    critic, x = model.discriminator, torch.randn(6, 2)
    torch.manual_seed(1)
    plain = model.discriminator_loss(Batch(x=x))
    model.discriminator = torch.nn.Sequential(critic, AddFive())
    torch.manual_seed(1)
    moved = model.discriminator_loss(Batch(x=x))
    assert all(torch.allclose(plain[key], moved[key], atol=1e-5) for key in plain)


class AddFive(torch.nn.Module):
    def forward(self, x):
        return x + 5


def test_the_generators_batch_is_the_last_the_judge_saw():
    seen = drawn_by(GAN(SPEC, latent=2, hidden=(4,), n_critic=3), "discriminator_loss", "generator_loss", steps=2)
    assert seen[2][1] == seen[3][1] and seen[6][1] == seen[7][1]


def test_samples_are_the_generators_output_on_the_prior():
    model = GAN(SPEC, latent=3, hidden=(4,)).eval()
    torch.manual_seed(9)
    z = torch.randn(4, 3)
    assert torch.equal(model.sample(4, seed=9), model.decode(z))
