import math

import pytest
import torch

import nacre


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("NACRE_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def digits():
    return nacre.load_data("digits")


@pytest.fixture(scope="session")
def vae():
    return nacre.train("vae", "digits", steps=300, hidden=(64,), latent=8, progress=False)


@pytest.fixture(scope="session")
def rbm():
    return nacre.train("rbm", "digits", steps=300, hidden=16, progress=False)


@pytest.fixture
def linear_gaussian():
    """Makes a VAE with an exact posterior, n examples, their log-densities and the posterior's precision.

    X = W z + noise of variance 0.3; the second unit of z has no effect, and its posterior is the prior.
    """
    from torch.distributions import MultivariateNormal

    from nacre.data.spec import Spec
    from nacre.models.autoencoders.vae import VAE

    def make(n: int = 2000):
        noise = 0.3
        model = VAE(Spec((3,), scale=(1.0, 1.0, 1.0)), latent=2, hidden=())
        w = torch.tensor([[1.0, 0.0], [-0.5, 0.0], [0.8, 0.0]])
        precision = w.square().sum(0) / noise + 1
        with torch.no_grad():
            model.decoder[0].weight.copy_(w)
            model.decoder[0].bias.zero_()
            model.encoder[1].weight.copy_(torch.cat([(w / noise / precision).T, torch.zeros(2, 3)]))
            model.encoder[1].bias.copy_(torch.cat([torch.zeros(2), -precision.log()]))
            model.likelihood.logvar.fill_(math.log(noise))
        density = MultivariateNormal(torch.zeros(3), w @ w.T + noise * torch.eye(3))
        x = density.sample((n,))
        return model, x, density.log_prob(x), precision

    return make
