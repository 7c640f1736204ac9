import pytest
import torch
from games import make
from scipy.stats import kstest, truncnorm

import nacre
from nacre.latent import has_prior, sample_truncated, truncated_noise


@pytest.mark.parametrize("threshold", [0.1, 0.7, 2.0, 20.0])
def test_the_draws_follow_the_truncated_normal(threshold):
    torch.manual_seed(1)
    z = truncated_noise(20_000, 2, threshold).flatten()
    law = truncnorm(-threshold, threshold)
    assert z.abs().max() <= threshold and torch.isfinite(z).all()
    assert float(z.var()) == pytest.approx(law.var(), rel=0.03)
    assert kstest(z.numpy(), law.cdf).pvalue > 0.01


def test_it_is_a_normal_redrawn_until_it_is_small():
    """The definition, by brute force: the same variance to within four standard errors."""
    torch.manual_seed(2)
    redrawn = torch.randn(200_000)
    redrawn = redrawn[redrawn.abs() <= 1.2]
    z = truncated_noise(len(redrawn), 1, 1.2).flatten()
    error = (2 * redrawn.square().var() / len(redrawn)).sqrt()
    assert abs(redrawn.square().mean() - z.square().mean()) < 4 * error


@pytest.mark.parametrize("name", ["vae", "gan", "dcgan", "wgan-gp"])
def test_samples_decode_truncated_noise_and_leave_the_model_alone(name):
    model = make(name).eval()
    state = torch.get_rng_state()
    x = sample_truncated(model, 6, 0.4, seed=3)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(3)
    assert torch.equal(x, model.decode(truncated_noise(6, model.latent, 0.4)))
    torch.manual_seed(3)
    plain = torch.randn(2, model.latent)
    torch.manual_seed(3)
    assert torch.equal(model.noise(2), plain)


def test_conditions_go_along():
    model = nacre.train("cvae", "digits", hidden=(8,), latent=3, steps=3, progress=False, doctor="off")
    x = sample_truncated(model, 4, 0.3, seed=1, labels=7)
    torch.manual_seed(1)
    assert torch.equal(x, model.decode(truncated_noise(4, 3, 0.3), labels=7))


def test_models_without_a_normal_prior_say_so():
    categorical = nacre.create("vae", nacre.load_data("digits").spec, latent=2, distribution="categorical")
    for model, words in ((make("rbm"), "normal prior"), (make("ae"), "cannot sample"), (categorical, "normal prior")):
        assert not has_prior(model)
        with pytest.raises(nacre.NacreError, match=words):
            sample_truncated(model, 2, 0.5)
    assert has_prior(make("vae")) and has_prior(make("wgan-gp"))


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan")])
def test_a_threshold_is_positive(threshold):
    with pytest.raises(nacre.NacreError, match="must be positive"):
        sample_truncated(make("gan"), 2, threshold)
