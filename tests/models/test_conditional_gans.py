"""Conditional GANs: what each player is told, what the added terms are, and that samples are what was asked for."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

import nacre
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.latent.truncation import sample_truncated, truncated_noise
from nacre.models.gans.acgan import ACGAN
from nacre.models.gans.cgan import CGAN
from nacre.models.gans.projection_gan import ProjectionGAN

NAMES = ("red", "green", "blue")
SPEC = Spec((2,), classes=NAMES)
BOTH = Spec((2,), classes=NAMES, attributes=("size", "tilt"))
IMAGES = Spec.image(1, 16, 16, classes=NAMES)
KINDS = pytest.mark.parametrize("kind", [CGAN, ACGAN, ProjectionGAN])


def batch_of(spec: Spec, n: int = 6) -> Batch:
    made = Batch(x=torch.rand(n, *spec.shape), y=torch.arange(n) % len(spec.classes))
    return Batch({**made, "a": torch.randn(n, len(spec.attributes))}) if spec.attributes else made


@KINDS
@pytest.mark.parametrize("spec", [SPEC, BOTH, IMAGES], ids=["labels", "attributes", "images"])
def test_the_generator_is_told_the_conditions(kind, spec):
    torch.manual_seed(0)
    model = kind(spec, latent=3, hidden=(8,), channels=4).eval()
    z = torch.randn(4, 3)
    red, blue = model.decode(z, labels=0), model.decode(z, labels="blue")
    assert red.shape == (4, *spec.shape) and not torch.allclose(red, blue)
    c = model.conditions(4, torch.full((4,), 2), model.conditions.attributes[:1].expand(4, -1))
    assert torch.equal(blue, model.generator(torch.cat([z, c], 1)))


@pytest.mark.parametrize("kind", [CGAN, ProjectionGAN])
def test_both_terms_of_the_discriminator_see_the_same_conditions(kind):
    """The made half of the pass is judged under the real examples' labels."""
    model = kind(SPEC, latent=3, hidden=(8,), spectral_norm=False, game="non-saturating")
    seen = []
    score = model.score
    model.score = lambda x, told: seen.append(told) or score(x, told)
    batch = batch_of(SPEC)
    model.discriminator_loss(batch)
    assert torch.equal(seen[0], torch.cat([model.told(batch)] * 2))
    assert torch.equal(seen[0][:6].argmax(1), batch.y)


@pytest.mark.parametrize("spec", [SPEC, IMAGES], ids=["rows", "images"])
def test_the_projections_score_decomposes(spec):
    """D(x, c) = w phi(x) + b + <V c, phi(x)>, so differences between labels are inner products."""
    torch.manual_seed(0)
    model = ProjectionGAN(spec, hidden=(8,), channels=4).eval()
    d, x = model.discriminator, torch.rand(5, *spec.shape)
    phi = d.judge.look(x)
    scores = [d(x, model.conditions(5, torch.full((5,), k))) for k in range(3)]
    unknown = d(x, model.conditions(5))
    assert torch.allclose(unknown, d.judge(x), atol=1e-6)
    for k in range(3):
        embedding = d.embed.weight[:, k] + d.embed.weight[:, 3]  # of the label and of its being known
        assert torch.allclose(scores[k] - unknown, (phi @ embedding)[:, None], atol=1e-6)
    assert torch.linalg.matrix_norm(d.embed.weight, 2).item() == pytest.approx(1, abs=0.2)


def test_a_projection_judges_no_packs():
    with pytest.raises(NacreError, match="use --pack 1"):
        ProjectionGAN(SPEC, pack=2)
    assert CGAN(SPEC, hidden=(8,), pack=2).discriminator_loss(batch_of(SPEC))["non-saturating"].isfinite()


def test_acgans_terms_are_the_cross_entropies_of_both_halves():
    torch.manual_seed(0)
    model, batch = ACGAN(SPEC, latent=3, hidden=(8,), class_weight=0.5), batch_of(SPEC)
    torch.manual_seed(1)
    fake = model.generator(torch.cat([torch.randn(6, 3), model.conditions(6, batch.y)], 1))
    real_said, fake_said = model.discriminator(batch.x), model.discriminator(fake)
    torch.manual_seed(1)
    terms = model.discriminator_loss(batch)
    both = cross_entropy(real_said[:, 1:], batch.y) + cross_entropy(fake_said[:, 1:], batch.y)
    assert list(terms) == ["non-saturating", "class"]
    assert torch.allclose(terms["class"], both, atol=1e-6)
    scores = real_said[:, 0], fake_said[:, 0]
    assert torch.allclose(terms["non-saturating"], model.rules.discriminator(*scores), atol=1e-6)
    torch.manual_seed(1)
    terms = model.generator_loss(batch)
    assert torch.allclose(terms["class"], 0.5 * cross_entropy(fake_said[:, 1:], batch.y), atol=1e-6)
    assert torch.allclose(model.classify(batch.x), real_said[:, 1:].softmax(1), atol=1e-6)


def test_acgan_reads_attributes_and_leaves_out_what_is_unknown():
    model = ACGAN(BOTH, hidden=(8,))
    y, a = torch.tensor([1, -1]), torch.tensor([[0.5, torch.nan], [torch.nan, 2.0]])
    said = torch.tensor([[9.0, 1.0, 2.0, 3.0, 0.0, 7.0], [9.0, 4.0, 4.0, 4.0, 7.0, 1.0]])
    label = torch.tensor([1.0, 2.0, 3.0]).log_softmax(0)[1]
    expected = (-label + 0.5**2 / 2 + (1.0 - 2.0) ** 2 / 2) / 2
    assert torch.allclose(model.misread(said, model.conditions(2, y, a)), expected)


def test_a_penalty_takes_the_slope_of_the_score_alone():
    """Further outputs of the discriminator have no part in R1."""
    model = ACGAN(SPEC, hidden=(8,), penalty=("r1",), gamma=2.0)
    batch = batch_of(SPEC)
    x = batch.x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model.discriminator(x)[:, 0].sum(), x)
    assert torch.allclose(model.discriminator_loss(batch)["r1"], slope.square().sum(1).mean(), rtol=1e-5)


@KINDS
def test_what_is_not_said_is_that_of_training_examples(kind):
    torch.manual_seed(0)
    x = torch.randn(400, 2)
    y, a = torch.arange(400) % 2 + 1, torch.stack([torch.full((400,), 7.0), torch.randn(400)], 1)
    model = kind(BOTH, latent=3, hidden=(8,))
    model.begin(Data(x, y, spec=BOTH, a=a))
    labels, attributes = model.conditions.completed(300)
    assert set(labels.tolist()) == {1, 2} and (attributes[:, 0] == 7).all()
    labels, attributes = model.conditions.completed(3, [0, -1, 0], {"tilt": 9.0})
    assert labels[0] == labels[2] == 0 and labels[1] in (1, 2)
    assert attributes.tolist() == [[7.0, 9.0]] * 3
    assert len(model.inputs(300)[:, 3:6].unique(dim=0)) == 2, "batch statistics are those of all classes"
    z = torch.randn(4, 3)
    assert torch.equal(model.decode(z), model.decode(z)), "codes are decoded without a draw"
    z[1:] = z[0]
    x = model.decode(z)
    assert torch.allclose(x, x[:1].expand_as(x)), "and all as one and the same class"
    assert not torch.allclose(model.sample(9, seed=0), model.sample(9, seed=0, labels=0))


@KINDS
def test_data_without_conditions_are_refused(kind):
    with pytest.raises(NacreError, match="needs data with labels or attributes"):
        kind(Spec((2,)))
    with pytest.raises(NacreError, match="there is no class 'pink'"):
        kind(SPEC, hidden=(8,)).sample(1, labels="pink")


def test_truncation_keeps_to_the_label():
    model = CGAN(SPEC, latent=3, hidden=(8,)).eval()
    torch.manual_seed(1)
    z = truncated_noise(5, 3, 0.4)
    assert torch.equal(sample_truncated(model, 5, 0.4, seed=1, labels=2), model.decode(z, labels=2))


def modes() -> tuple[Data, torch.Tensor]:
    """Eight modes on a circle, each a class of its own, and their centres."""
    generator = torch.Generator().manual_seed(0)
    angle = torch.arange(8) * math.tau / 8
    centres = torch.stack([angle.cos(), angle.sin()], 1)
    y = torch.randint(8, (4096,), generator=generator)
    x = centres[y] + 0.05 * torch.randn(4096, 2, generator=generator)
    names = tuple(f"mode {k}" for k in range(8))
    return Data(x, y, spec=Spec((2,), classes=names, scale=(0.7,))), centres


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cgan", {"penalty": ("r1",), "gamma": 0.1}),
        ("acgan", {"penalty": ("r1",), "gamma": 0.1}),
        ("projection-gan", {"spectral_norm": False, "penalty": ("r1",), "gamma": 0.1, "game": "non-saturating"}),
    ],
    ids=["cgan", "acgan", "projection-gan"],
)
def test_samples_obey_their_labels(name, options):
    data, centres = modes()
    model = nacre.create(name, data.spec, latent=4, hidden=(64, 64), **options)
    model.fit(data, steps=150, batch_size=64, lr=3e-3, betas=(0.0, 0.99), ema=0.97, progress=False, doctor="off")
    labels = torch.arange(8).repeat(50)
    x = model.sample(400, seed=0, labels=labels)
    assert (torch.cdist(x, centres).argmin(1) == labels).float().mean() > 0.95
    spread = torch.stack([x[labels == k].std(0).mean() for k in range(8)])
    assert spread.min() > 0.005, "a mode collapsed to a point"
