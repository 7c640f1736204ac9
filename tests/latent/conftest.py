import pytest
import torch

import nacre
from nacre.data.spec import Spec
from nacre.model import Model, inference


class Plane(Model):
    """The identity as decoder, on a latent of any size."""

    def __init__(self, spec):
        super().__init__(spec)
        self.latent = spec.size

    @inference
    def sample(self, n):
        return self.noise(n)

    @inference
    def decode(self, z):
        return z.clone()


@pytest.fixture
def plane():
    return lambda latent=2: Plane(Spec((latent,)))


@pytest.fixture(scope="session")
def digits():
    return nacre.load_data("digits")


@pytest.fixture(scope="session")
def vae():
    torch.manual_seed(0)
    return nacre.train("vae", "digits", steps=800, hidden=(128,), latent=8, progress=False, doctor="off")
