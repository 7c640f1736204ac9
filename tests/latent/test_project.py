import pytest
import torch
from games import MODELS, digits, make
from torch import nn

import nacre
from nacre.data.spec import Spec
from nacre.latent import project
from nacre.model import Model, inference
from nacre.registry import find

DECODERS = [name for name in MODELS if find(name).can("project")]


class Generator(Model):
    """A known smooth generator with a batch norm, which has two modes."""

    def __init__(self, spec):
        super().__init__(spec)
        self.latent = 3
        self.net = nn.Sequential(nn.Linear(3, 12), nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, 6))

    @inference
    def decode(self, z):
        return self.net(z)


@pytest.fixture
def generator():
    torch.manual_seed(3)
    return Generator(Spec((6,)))


def test_what_the_generator_made_is_found_again(generator):
    z = torch.randn(5, 3)
    x = generator.decode(z)
    found = project(generator, x, steps=400)
    assert found.errors.max() < 1e-6
    assert torch.allclose(found.reconstructions, generator.decode(found.codes))
    assert torch.allclose(found.errors, (found.reconstructions - x).square().mean(1))
    assert torch.allclose(found.codes, z, atol=1e-2)  # this map is one-to-one near its draws


def test_the_model_and_the_random_state_stay_as_they_were(generator):
    x = torch.randn(3, 6)
    generator.net[1].training = False  # a mode of its own
    for parameter in generator.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    modes, state = [module.training for module in generator.modules()], torch.get_rng_state()
    with torch.no_grad():
        project(generator, x, steps=5)
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())
    assert all(p.requires_grad and torch.equal(p.grad, torch.ones_like(p)) for p in generator.parameters())
    assert modes == [module.training for module in generator.modules()]
    assert torch.equal(state, torch.get_rng_state())


def test_restarts_and_chunks(generator):
    """More starts are never worse, since the first ones stay; cutting the work apart changes nothing."""
    x = torch.randn(6, 6)
    torch.manual_seed(0)
    whole, cut = (project(generator, x, steps=30, restarts=3, seed=1, batch_size=size) for size in (256, 4))
    assert torch.allclose(whole.codes, cut.codes, atol=1e-4)
    one = project(generator, x[:1], steps=30, restarts=1, seed=1)
    many = project(generator, x[:1], steps=30, restarts=8, seed=1)
    assert many.errors[0] <= one.errors[0]
    assert project(generator, x[:0], steps=3).codes.shape == (0, 3)


def test_the_prior_shortens_codes_and_features_are_matched(generator):
    x = 3 * torch.randn(8, 6)
    free, held = (project(generator, x, steps=100, prior=weight).codes.norm(dim=1).mean() for weight in (0.0, 1.0))
    assert held < 0.8 * free
    near = generator.decode(torch.randn(8, 3)) + 0.1 * torch.randn(8, 6)  # which the generator cannot quite make
    plain, led = (project(generator, near, features=f).reconstructions for f in (None, lambda x: 10 * x[:, :1]))
    assert (led - near)[:, 0].abs().mean() < 0.5 * (plain - near)[:, 0].abs().mean()


@pytest.mark.parametrize("name", DECODERS)
def test_every_model_that_decodes_projects(name):
    """The error is at most that of the encoder's own reconstruction, or falls to below the mean example's."""
    model, x = make(name).fit(digits(), batch_size=16, steps=60, progress=False, device="cpu"), digits().examples(4).x
    try:
        found = project(model, x, steps=60, restarts=2)
    except nacre.NacreError as error:
        assert "no gradient" in str(error)
        return
    assert found.reconstructions.shape == x.shape and torch.isfinite(found.codes).all()
    if model.can("encode"):
        encoded = (model.reconstruct(x) - x).square().flatten(1).mean(1)
        assert (found.errors <= encoded + 1e-3).all()
    start = project(model, x, steps=1, restarts=2, lr=0)
    assert found.errors.mean() < start.errors.mean()


def test_bad_arguments(generator):
    x = torch.zeros(1, 6)
    for options, words in (
        ({"steps": 0}, "steps is 0"),
        ({"restarts": 0}, "restarts is 0"),
        ({"prior": -1.0}, "prior is -1"),
    ):
        with pytest.raises(nacre.NacreError, match=words):
            project(generator, x, **options)
    with pytest.raises(nacre.NacreError, match="shape"):
        project(generator, torch.zeros(1, 5))
