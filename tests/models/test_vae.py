"""The VAE's bound: recomputed independently, and against the exact likelihood of a linear Gaussian model."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.models.autoencoders.vae import VAE

TABLE = Spec((3,), center=(1.0, -2.0, 0.5), scale=(2.0, 0.5, 1.0))


def noise(*shape: int) -> torch.Tensor:
    """The draws that a loss makes after `torch.manual_seed(5)`."""
    torch.manual_seed(5)
    return torch.randn(*shape).double()


def terms(model: VAE, x: torch.Tensor) -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return model.negative_elbo(Batch(x=x))


def noise_of(logvar: torch.Tensor) -> torch.Tensor:
    """The standard deviations of TABLE's columns, with this mean log-variance and as their scales are to each other."""
    scale = torch.tensor(TABLE.scale).double()
    return (logvar / 2).exp() * scale / scale.log().mean().exp()


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_bound_is_that_of_an_independent_computation(likelihood):
    if likelihood == "bernoulli":
        model = VAE(Spec.image(1, 4, 5), latent=3, hidden=(16,), activation="tanh")
        x = (torch.rand(7, 1, 4, 5) < 0.4).float()
        rows = 2 * x.double().flatten(1) - 1
    else:
        model = VAE(TABLE, latent=3, hidden=(16,), activation="tanh")
        x = torch.tensor(TABLE.center) + torch.randn(7, 3) * torch.tensor(TABLE.scale)
        rows = ((x - torch.tensor(TABLE.center)) / torch.tensor(TABLE.scale)).double()
    w = {key: value.double() for key, value in model.state_dict().items()}
    h = torch.tanh(rows @ w["encoder.1.weight"].T + w["encoder.1.bias"])
    mean, logvar = (h @ w["encoder.3.weight"].T + w["encoder.3.bias"]).chunk(2, 1)
    q = Normal(mean, (logvar / 2).exp())
    z = q.mean + q.stddev * noise(7, 3)
    h = torch.tanh(z @ w["decoder.0.weight"].T + w["decoder.0.bias"])
    out = h @ w["decoder.2.weight"].T + w["decoder.2.bias"]
    if likelihood == "bernoulli":
        log_p = Bernoulli(logits=out).log_prob(x.double().flatten(1)).sum(1)
    else:
        loc = out * torch.tensor(TABLE.scale).double() + torch.tensor(TABLE.center).double()
        log_p = Normal(loc, noise_of(w["likelihood.logvar"])).log_prob(x.double()).sum(1)
    found = terms(model, x)
    assert found["reconstruction"].item() == pytest.approx(-log_p.mean().item(), rel=1e-5)
    assert found["kl"].item() == pytest.approx(kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean().item(), rel=1e-5)


def test_the_gradient_goes_through_the_draw():
    """Without the KL, the encoder still learns from the reconstruction (equation 10 of the paper)."""
    model = VAE(TABLE, latent=2, hidden=())
    gradient = torch.autograd.grad(terms(model, torch.randn(5, 3))["reconstruction"], model.encoder[1].weight)[0]
    assert (gradient.abs().sum(1) > 0).all(), "a mean or a log-variance gets no gradient"


def test_beta_scales_the_kl_only():
    model, x = VAE(TABLE, latent=2, hidden=(8,)), torch.randn(6, 3)
    plain = terms(model, x)
    for beta in (0.0, 0.5, 4.0):
        model.beta = beta
        scaled = terms(model, x)
        assert torch.equal(scaled["reconstruction"], plain["reconstruction"])
        assert torch.allclose(scaled["kl"], beta * plain["kl"])


def test_the_kls_weight_rises_over_the_warm_up():
    model, x = VAE(TABLE, latent=2, hidden=(8,), kl_warmup=0.2, beta=3.0), torch.randn(6, 3)
    model.progress.fill_(1.0)
    full = terms(model, x)
    for progress, weight in [(0.0, 0.0), (0.05, 0.25), (0.1, 0.5), (0.2, 1.0), (0.7, 1.0)]:
        model.progress.fill_(progress)
        warm = terms(model, x)
        assert torch.allclose(warm["kl"], weight * full["kl"]), progress
        assert torch.equal(warm["reconstruction"], full["reconstruction"])


def linear_gaussian(offset: float) -> tuple[VAE, torch.Tensor, torch.Tensor]:
    """A VAE with x = W z + m + noise, its data and their exact log-likelihood.

    The columns of W are orthogonal in units of the noise, so that the exact posterior has a diagonal covariance. The
    encoder is that posterior with its mean moved by `offset`.
    """
    torch.manual_seed(1)
    model = VAE(TABLE, latent=2, hidden=())
    center, scale = torch.tensor(TABLE.center).double(), torch.tensor(TABLE.scale).double()
    columns, _ = torch.linalg.qr(torch.randn(3, 2, dtype=torch.float64))
    logvar, m = torch.tensor(0.3).double().log(), torch.tensor([0.5, -1.0, 2.0]).double()
    sd = noise_of(logvar)[:, None]
    w = sd * columns * torch.tensor([2.7, 1.3]).double()
    precision = (w / sd).square().sum(0) + 1  # of each latent, given x
    backwards = (w / sd.square() / precision).T  # E[z | x] = backwards (x - m)
    with torch.no_grad():
        model.decoder[0].weight.copy_(w / scale[:, None])
        model.decoder[0].bias.copy_((m - center) / scale)
        model.encoder[1].weight.copy_(torch.cat([backwards * scale, torch.zeros(2, 3)]))
        model.encoder[1].bias.copy_(torch.cat([backwards @ (center - m) + offset, -precision.log()]))
        model.likelihood.logvar.copy_(logvar)
    marginal = MultivariateNormal(m, w @ w.T + sd.square().flatten().diag())
    x = marginal.sample((300,))
    return model, x.float(), marginal.log_prob(x)


def test_with_the_exact_posterior_every_draw_of_the_bound_is_the_likelihood():
    model, x, exact = linear_gaussian(offset=0.0)
    for seed in (0, 1):
        assert torch.allclose(model.score_samples(x, seed=seed).double(), exact, atol=2e-4)
    assert -sum(terms(model, x.repeat(100, 1)).values()).item() == pytest.approx(exact.mean().item(), abs=0.02)


def test_more_draws_tighten_the_bound_up_to_the_likelihood():
    """With a wrong encoder the mean bound rises with k and comes within 0.01 nats of the exact value at k = 1000."""
    model, x, exact = linear_gaussian(offset=0.5)
    bounds = [model.score_samples(x, draws=k, seed=2).double().mean() for k in (1, 4, 30, 1000)]
    assert bounds[0] < bounds[1] - 0.05 and bounds[1] < bounds[2] - 0.02 and bounds[2] < bounds[3] + 0.01
    assert bounds[3].item() == pytest.approx(exact.mean().item(), abs=0.01)


def test_one_draw_of_the_bound_is_the_elbo_on_average():
    model, x, exact = linear_gaussian(offset=0.5)
    x = x.repeat(200, 1)
    elbo = -sum(terms(model, x).values()).item()
    score = model.score_samples(x, seed=3)
    assert score.mean().item() == pytest.approx(elbo, abs=0.03)
    assert elbo < exact.mean().item() - 0.1


def test_the_gap_of_the_bound_is_the_divergence_from_the_posterior():
    """KL between normals of equal covariance: half the squared offset by the posterior's precision."""
    model, x, exact = linear_gaussian(offset=0.5)
    _, logvar = model.posterior(x).chunk(2, dim=1)
    gap = 0.5 * (0.25 * (-logvar[0]).exp()).sum().item()
    elbo = -sum(terms(model, x.repeat(300, 1)).values()).item()
    assert exact.mean().item() - elbo == pytest.approx(gap, abs=0.03)


def test_samples_and_reconstructions_are_means_of_the_likelihood():
    model = VAE(Spec.image(1, 8, 8), latent=2, hidden=(8,))
    z = torch.randn(3, 2)
    assert torch.allclose(model.decode(z), torch.sigmoid(model.decoder(z)).view(3, 1, 8, 8))
    x = torch.rand(3, 1, 8, 8)
    assert torch.allclose(model.reconstruct(x), model.decode(model.features(x)))


def test_log_normal_latents_are_normal_ones_with_exp_in_the_decoder():
    """A bijection of z changes neither term of the bound."""
    spec = Spec.image(1, 6, 6)
    torch.manual_seed(0)
    positive = VAE(spec, latent=3, hidden=(12,), distribution="log-normal")
    normal = VAE(spec, latent=3, hidden=(12,))
    normal.load_state_dict(positive.state_dict())
    normal.decoder.insert(0, Exp())
    x = torch.rand(20, 1, 6, 6)
    for name, value in terms(positive, x).items():
        assert torch.allclose(terms(normal, x)[name], value, rtol=1e-6)
    scores = [model.score_samples(x, seed=1, draws=5) for model in (positive, normal)]
    assert torch.allclose(*scores, atol=1e-5)
    assert (positive.encode(x) > 0).all()


class Exp(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.exp()


@torch.no_grad()
@pytest.mark.parametrize("distribution", ["categorical", "bernoulli"])
def test_the_bound_of_discrete_latents_is_below_the_enumerated_likelihood_and_tightens(distribution):
    torch.manual_seed(0)
    model = VAE(Spec.image(1, 3, 3), latent=3, hidden=(8,), distribution=distribution, categories=4).double()
    x = (torch.rand(5, 1, 3, 3) < 0.5).double()
    units = torch.eye(4) if distribution == "categorical" else torch.tensor([[0.0], [1.0]])
    index = torch.cartesian_prod(*[torch.arange(len(units))] * 3)
    states = units[index].flatten(1).double()
    log_p = torch.stack([-model.likelihood.nll(model.decoder(states), x[i : i + 1].expand(len(states), -1, -1, -1))
                         for i in range(5)])  # fmt: skip
    exact = torch.logsumexp(log_p, 1) - math.log(len(states))
    h = model.posterior(x)
    log_q = model.latents.log_ratio(states.repeat(5, 1), h.repeat_interleave(len(states), 0)).view(5, -1)
    q = (-log_q - math.log(len(states))).exp()
    assert torch.allclose(q.sum(1), torch.ones(5).double())
    expected = (q * log_p).sum(1) - model.latents.kl(h).sum(1)
    weights = torch.stack([model.log_weight(x, h) for _ in range(4000)])
    assert (expected < exact).all()
    assert torch.allclose(weights.mean(0), expected, atol=4 * float(weights.std(0).max()) / 4000**0.5)
    assert torch.allclose(torch.logsumexp(weights, 0) - math.log(4000), exact, atol=0.05)


def test_free_bits_leave_small_divergences_uncharged():
    model, x = VAE(TABLE, latent=4, hidden=(8,)), torch.randn(6, 3)
    by_variable = model.latents.kl(model.posterior(x)).mean(0).detach()
    model.free_bits = float(by_variable.sort().values[1:3].mean())
    free = by_variable.clamp(min=model.free_bits).sum()
    assert torch.allclose(terms(model, x)["kl"], free) and free > by_variable.sum()


def test_js_at_the_ends_of_its_skew_is_the_kl_either_way():
    x = torch.randn(6, 3)
    model = VAE(TABLE, latent=2, hidden=(8,), regulariser="js", skew=0.0)
    mean, logvar = model.posterior(x).chunk(2, dim=1)
    q, p = Normal(mean, (logvar / 2).exp()), Normal(torch.zeros(6, 2), 1.0)
    for skew, expected in ((0.0, kl_divergence(q, p)), (1.0, kl_divergence(p, q))):
        model.skew = skew
        assert torch.allclose(terms(model, x)["js"], expected.sum(1).mean(), rtol=1e-5)


def test_infovae_weighs_its_two_parts():
    x = torch.randn(6, 3)
    model = VAE(TABLE, latent=2, hidden=(8,), regulariser="mmd", info=0.25, mmd=10.0)
    plain = VAE(TABLE, latent=2, hidden=(8,))
    plain.load_state_dict(model.state_dict())
    found = terms(model, x)
    assert torch.allclose(found["kl"], 0.75 * terms(plain, x)["kl"])
    model.info, model.mmd = 1.0, 1.0
    assert torch.allclose(found["mmd"], 9.25 * terms(model, x)["mmd"], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distribution": "categorical", "regulariser": "js"}, "needs normal latents"),
        ({"temperature": (0.0, 1.0), "distribution": "bernoulli"}, "two positive numbers"),
        ({"skew": 1.5}, "skew is"),
        ({"info": 2.0}, "at most 1"),
        ({"regulariser": "mmd", "info": 0.0, "mmd": 0.5}, "the discrepancy would grow"),
        ({"regulariser": "js", "free_bits": 0.1}, "free_bits are those of the kl"),
        ({"likelihood": "discretised-logistic"}, "grey levels of images"),
        ({"likelihood": "continuous-bernoulli"}, r"continuous-bernoulli needs values in \[0, 1\]"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(NacreError, match=message):
        VAE(TABLE, **options)
