"""What is special about each relative of the VAE: a limit in which it is the VAE, a closed form, an identity."""

import math
from functools import wraps

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

import nacre
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.losses.divergences import gaussian_kl
from nacre.models.autoencoders.beta_tcvae import BetaTCVAE, decompose
from nacre.models.autoencoders.factor_vae import FactorVAE, permuted
from nacre.models.autoencoders.iwae import IWAE
from nacre.models.autoencoders.ladder_vae import LadderVAE
from nacre.models.autoencoders.vae import VAE
from nacre.models.autoencoders.vamp_vae import VampVAE
from nacre.models.autoencoders.vq_vae import VQVAE

TABLE = Spec((3,), center=(1.0, -2.0, 0.5), scale=(2.0, 0.5, 1.0))


def seeded(loss, batch: Batch, seed: int = 5):
    torch.manual_seed(seed)
    return loss(batch)


def noted(seen: list[str], loss):
    """The same loss, which also writes its name down."""

    @wraps(loss)
    def noting(batch: Batch):
        seen.append(loss.__name__)
        return loss(batch)

    return noting


def gradients(model, loss, rows: int, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard error over seeds of the gradient by the encoder's bias."""
    parameter = model.encoder[-1].bias
    found = torch.stack([torch.autograd.grad(seeded(loss, Batch(x=x), seed), parameter)[0] for seed in range(rows)])
    return found.mean(0), found.std(0) / rows**0.5


def test_one_draw_makes_the_iwae_a_vae_on_average():
    torch.manual_seed(0)
    vae, iwae = VAE(TABLE, latent=2, hidden=(8,)), IWAE(TABLE, latent=2, hidden=(8,), k=1)
    iwae.load_state_dict(vae.state_dict())
    x = torch.randn(50, 3)
    for doubly in (False, True):
        iwae.doubly = doubly
        mean, error = gradients(iwae, iwae.negative_bound, 400, x)
        expected, own = gradients(vae, lambda b: sum(vae.negative_elbo(b).values()), 400, x)
        assert ((mean - expected).abs() < 4.5 * (error.square() + own.square()).sqrt() + 1e-4).all()


def test_the_doubly_reparametrised_gradient_is_the_plain_one_with_less_noise():
    torch.manual_seed(0)
    model = IWAE(TABLE, latent=2, hidden=(8,), k=16)
    x = torch.randn(40, 3)
    doubly, doubly_error = gradients(model, model.negative_bound, 400, x)
    assert seeded(model.negative_bound, Batch(x=x)).isfinite()
    decoder = [torch.autograd.grad(seeded(model.negative_bound, Batch(x=x)), model.decoder[0].weight)[0]]
    model.doubly = False
    plain, plain_error = gradients(model, model.negative_bound, 400, x)
    decoder.append(torch.autograd.grad(seeded(model.negative_bound, Batch(x=x)), model.decoder[0].weight)[0])
    assert ((doubly - plain).abs() < 4.5 * (doubly_error.square() + plain_error.square()).sqrt() + 1e-4).all()
    assert doubly_error.square().sum() < 0.8 * plain_error.square().sum()
    assert torch.allclose(*decoder, atol=1e-6), "the decoder's gradient must not change"


def test_the_iwae_objective_is_the_score_with_as_many_draws():
    torch.manual_seed(0)
    model = IWAE(TABLE, latent=2, hidden=(8,), k=8)
    x = torch.randn(3000, 3)
    loss = seeded(model.negative_bound, Batch(x=x)).item()
    scores = model.score_samples(x, seed=1, draws=8)
    assert loss == pytest.approx(-scores.mean().item(), abs=4 * scores.std().item() / 3000**0.5)


def test_an_opening_trains_the_iwae_as_a_vae_before_it_draws_more():
    torch.manual_seed(0)
    vae, iwae = VAE(TABLE, latent=2, hidden=(8,)), IWAE(TABLE, latent=2, hidden=(8,), k=4, opening=0.7)
    iwae.load_state_dict(vae.state_dict())
    batch = Batch(x=torch.randn(50, 3))
    own, plain = (seeded(turn.loss, batch) for turn in (*iwae.phases()[0].turns(), *vae.turns()))
    assert own == plain
    seen: list[str] = []
    for name in ("negative_elbo", "negative_bound"):
        setattr(iwae, name, noted(seen, getattr(iwae, name)))
    iwae.fit(torch.randn(64, 3).numpy(), steps=10, batch_size=16, progress=False)
    assert seen == ["negative_elbo"] * 7 + ["negative_bound"] * 3
    with pytest.raises(NacreError, match="kl_warmup belongs to the opening"):
        IWAE(TABLE, latent=2, hidden=(8,), kl_warmup=0.1)


def test_the_parts_of_the_divergence_are_those_of_gaussians():
    """q(z|x_k) of many examples whose aggregate is a known normal: I, TC and the rest have closed forms."""
    torch.manual_seed(0)
    n, noise = 3000, 0.4
    covariance = torch.tensor([[1.2, 0.6], [0.6, 0.8]], dtype=torch.float64)
    mean = MultivariateNormal(torch.zeros(2).double(), covariance).sample((n,))
    logvar = torch.full_like(mean, math.log(noise))
    z = mean + noise**0.5 * torch.randn_like(mean)
    total = covariance + noise * torch.eye(2).double()
    information = 0.5 * (torch.logdet(total) - 2 * math.log(noise))
    correlation = 0.5 * (total.diagonal().log().sum() - torch.logdet(total))
    divergence = kl_divergence(Normal(0.0, total.diagonal().sqrt()), Normal(0.0, 1.0)).sum()
    # With N = 1 the weighted sum over the batch is its mean, which is the aggregate when the batch is all there is.
    found = decompose(z, mean, logvar, examples=torch.tensor(1.0).double())
    for value, expected in zip(found, (information, correlation, divergence), strict=True):
        assert value.item() == pytest.approx(expected.item(), abs=0.06)


def test_the_three_parts_add_up_to_the_kl_on_average():
    torch.manual_seed(0)
    mean, logvar = torch.randn(500, 3), torch.randn(500, 3) - 1
    parts = [torch.stack(decompose(mean + (logvar / 2).exp() * torch.randn_like(mean), mean, logvar,
                                   examples=torch.tensor(1e4))).sum() for _ in range(40)]  # fmt: skip
    assert torch.stack(parts).mean().item() == pytest.approx(gaussian_kl(mean, logvar).mean().item(), abs=0.05)


def test_tcvae_remembers_how_many_examples_there_are():
    data = nacre.load_data("digits")
    model = BetaTCVAE(data.spec, latent=2, hidden=(8,)).fit(data, steps=2, progress=False)
    assert model.examples == len(data)


def test_permuted_columns_keep_their_values_and_lose_their_correlation():
    torch.manual_seed(0)
    z = torch.randn(5000, 1).repeat(1, 3)
    mixed = permuted(z)
    assert torch.equal(mixed.sort(0).values, z.sort(0).values)
    assert (torch.corrcoef(mixed.T) - torch.eye(3)).abs().max() < 0.06


def test_the_factor_vaes_judge_learns_the_total_correlation():
    """On correlated normals the judge's mean logit tends to TC = -1/2 log(1 - rho^2)."""
    torch.manual_seed(0)
    model = FactorVAE(Spec((2,)), latent=2, hidden=(), judge=(32, 32))
    rho = 0.8
    root = torch.linalg.cholesky(torch.tensor([[1.0, rho], [rho, 1.0]]))
    model.latents.draw = lambda h, progress: h[:, :2]
    model.posterior = lambda x: x
    rule = torch.optim.Adam(model.discriminator.parameters(), 3e-3)
    for _ in range(600):
        rule.zero_grad()
        model.discriminator_loss(Batch(x=torch.randn(512, 2) @ root.T)).backward()
        rule.step()
    with torch.no_grad():
        found = model.discriminator(torch.randn(20_000, 2) @ root.T).mean().item()
    assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.08)


def test_a_vamp_prior_of_one_component_is_that_posterior():
    torch.manual_seed(0)
    model = VampVAE(TABLE, latent=2, hidden=(8,), pseudo_inputs=1)
    mean, logvar = model.components()
    z = torch.randn(5, 2)
    expected = Normal(mean[0], (logvar[0] / 2).exp()).log_prob(z).sum(1)
    assert torch.allclose(model.log_prior(z), expected, atol=1e-5)
    drawn = model.noise(20_000)
    assert torch.allclose(drawn.mean(0), mean[0], atol=0.05)


def test_the_vamp_prior_is_a_density_and_its_inputs_start_at_examples():
    torch.manual_seed(0)
    data = nacre.load_data("digits")
    model = VampVAE(data.spec, latent=1, hidden=(8,), pseudo_inputs=4)
    model.begin(data)
    assert all((data.examples().x == u).flatten(1).all(1).any() for u in model.pseudo_inputs.values)
    grid = torch.linspace(-40, 40, 80_001)[:, None]
    assert model.log_prior(grid).exp().sum().item() * 0.001 == pytest.approx(1.0, abs=1e-3)


def test_two_layers_combine_their_evidence_by_precision():
    torch.manual_seed(0)
    model = LadderVAE(TABLE, latent=2, top=2, hidden=(8, 8))
    h, z2 = model.posterior(torch.randn(4, 3)), torch.randn(4, 2)
    mean, logvar, prior_mean, prior_logvar = model.lower(h, z2)
    mean_x, logvar_x = h[:, :4].chunk(2, dim=1)
    grid = torch.linspace(-12, 12, 24_001, dtype=torch.float64)[:, None, None]
    product = sum(
        -0.5 * ((grid - m.double()).square() * (-v.double()).exp())
        for m, v in ((mean_x, logvar_x), (prior_mean, prior_logvar))
    )
    weight = (product - product.max(0).values).exp()
    weight = weight / weight.sum(0)
    assert torch.allclose((weight * grid).sum(0), mean.double(), atol=1e-4)
    variance = (weight * (grid - mean.double()).square()).sum(0)
    assert torch.allclose(variance, logvar.double().exp(), atol=1e-4)


def test_a_ladder_whose_variances_vanish_stays_finite():
    """While the KL has no weight yet, log-variances may fall below what the exponential of their negative can hold."""
    ladder = LadderVAE(Spec.image(1, 4, 4), latent=2, top=1, hidden=(8,))
    h = torch.tensor([[1.0, 2.0, -300.0, 0.5, 0.0, 0.0]])  # means and log-variances of z1, then of z2
    with torch.no_grad():
        mean, logvar, prior_mean, prior_logvar = ladder.lower(h, torch.zeros(1, 1))
    assert mean[0, 0] == 1 and logvar[0, 0] == -300
    weight = (-h[0, 3]).exp() / ((-h[0, 3]).exp() + (-prior_logvar[0, 1]).exp())
    assert mean[0, 1] == pytest.approx(float(weight * 2 + (1 - weight) * prior_mean[0, 1]), rel=1e-5)
    wanted = -((-h[0, 3]).exp() + (-prior_logvar[0, 1]).exp()).log()
    assert logvar[0, 1] == pytest.approx(float(wanted), rel=1e-5)


def test_the_ladders_bound_holds_and_tightens():
    torch.manual_seed(0)
    model = LadderVAE(TABLE, latent=2, top=1, hidden=(8, 8), kl_warmup=0.0)
    x = torch.randn(2000, 3)
    elbo = -sum(seeded(model.negative_elbo, Batch(x=x)).values()).item()
    split = model.bound_terms(x, seed=1)
    assert split.shape == (2000, 1 + 2 + 1)
    assert elbo == pytest.approx(-split.sum(1).mean().item(), abs=0.2)
    bounds = [model.score_samples(x, seed=1, draws=k).mean().item() for k in (1, 5, 50)]
    assert bounds[0] == pytest.approx(elbo, abs=0.2) and bounds[0] < bounds[1] < bounds[2]


def test_vq_codes_are_the_nearest_entries_and_gradients_pass_straight_through():
    torch.manual_seed(0)
    model = VQVAE(TABLE, latent=3, entries=6, width=2, hidden=(8,), memory=8)
    h = torch.randn(7, 3, 2)
    expected = torch.cdist(h.view(-1, 2), model.codebook.weight).argmin(1).view(7, 3)
    assert torch.equal(model.nearest(h), expected)
    losses = model.code_loss(Batch(x=torch.randn(5, 3)))
    assert torch.autograd.grad(losses["reconstruction"], model.encoder[-1].weight, retain_graph=True)[0].abs().sum() > 0
    (none,) = torch.autograd.grad(losses["reconstruction"], model.codebook.weight, retain_graph=True, allow_unused=True)
    assert none is None or not none.any(), "only the distance moves the codebook"
    (none,) = torch.autograd.grad(losses["codebook"], model.encoder[-1].weight, retain_graph=True, allow_unused=True)
    assert none is None


def test_the_prior_over_codes_is_normalised_and_samples_follow_it():
    torch.manual_seed(0)
    model = VQVAE(TABLE, latent=2, entries=3, width=2, hidden=(8,), memory=4)
    every = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    p = model.prior.log_prob(every).exp()
    assert p.sum().item() == pytest.approx(1.0, abs=1e-6)
    drawn = model.prior.sample(30_000, 2)
    shares = (drawn @ torch.tensor([3, 1])).bincount(minlength=9) / 30_000
    assert torch.allclose(shares, p, atol=0.015)


def test_vq_scores_are_a_bound_on_the_enumerated_likelihood():
    torch.manual_seed(0)
    model = VQVAE(TABLE, latent=2, entries=3, width=2, hidden=(8,), memory=4)
    x = torch.randn(6, 3)
    every = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    decoded = model.decoder(model.codebook(every).flatten(1))
    log_p = torch.stack([-model.likelihood.nll(decoded, row.expand(9, -1)) for row in x])
    exact = torch.logsumexp(log_p + model.prior.log_prob(every), 1)
    scores = model.score_samples(x)
    assert (scores <= exact + 1e-5).all() and (scores > exact - 50).all()


def test_a_vq_vae_with_its_defaults_uses_many_entries():
    digits = nacre.load_data("digits")
    torch.manual_seed(0)
    model = nacre.create("vq-vae", digits.spec).fit(digits, steps=300, progress=False, doctor="off")
    used = model.encode(digits.examples(500).x).view(500, model.codes, model.width)
    assert len(used.flatten(0, 1).unique(dim=0)) > 16  # it was 2 where the entries began far from the encoder's outputs
