"""The adversarial games: who sees which batch, and what each loss is."""

from functools import wraps

import pytest
import torch
from torch.nn.functional import softplus

import nacre
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.losses.penalties import gradient_penalty, r1
from nacre.models.gans.gan import GAN
from nacre.models.gans.infogan import InfoGAN
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


@pytest.mark.parametrize("penalty", [("r1",), ("r2",), ("r1", "r2"), ("one-sided",), ("two-sided", "r1")])
def test_penalties_are_those_of_the_networks_with_their_weight(penalty):
    """One pass through the discriminator gives what the pure functions give one by one."""
    model, x = GAN(SPEC, latent=3, hidden=(4,), penalty=penalty, gamma=7.0, gamma_end=0.25), torch.randn(6, 2)
    model.progress.fill_(0.5)
    torch.manual_seed(1)
    fake = model.generator(torch.randn(6, 3))
    expected = {
        name: r1(model.discriminator, {"r1": x, "r2": fake}[name]) / 2
        if name in ("r1", "r2")
        else gradient_penalty(model.discriminator, x, fake, name == "one-sided")
        for name in penalty
    }
    torch.manual_seed(1)
    terms = model.discriminator_loss(Batch(x=x))
    assert set(terms) == {"non-saturating", *penalty}
    for name, value in expected.items():
        assert torch.allclose(terms[name], 7 * 0.5 * value, rtol=1e-4), name  # 0.25^0.5 = 0.5


def test_real_and_made_examples_are_judged_alike_in_one_pass_or_two():
    model, x = GAN(SPEC, latent=3, hidden=(4,), game="relativistic"), torch.randn(6, 2)
    assert model.joint
    torch.manual_seed(1)
    together = model.discriminator_loss(Batch(x=x))["relativistic"]
    model.joint = False
    torch.manual_seed(1)
    assert torch.allclose(together, model.discriminator_loss(Batch(x=x))["relativistic"], rtol=1e-6)


def test_lazy_penalties_are_a_turn_of_their_own():
    model = GAN(SPEC, hidden=(4,), penalty=("r1",), lazy=8)
    first, lazy, last = model.turns()
    assert (first.players, lazy.players, last.players) == (model.discriminator, model.discriminator, model.generator)
    assert lazy.every == 8 and not lazy.compile and first.compile
    batch = Batch(x=torch.randn(6, 2))
    assert set(first.loss(batch)) == {"non-saturating"} and set(lazy.loss(batch)) == {"r1"}


def test_clipped_weights_stay_in_their_box():
    model = nacre.create("wgan", SPEC, hidden=(8,), weight_clip=0.03, n_critic=2)
    model.fit(DATA, steps=3, batch_size=8, device="cpu", progress=False, ema=0, lr=0.1)
    assert max(float(p.detach().abs().max()) for p in model.discriminator.parameters()) <= 0.03 + 1e-7
    assert max(float(p.detach().abs().max()) for p in model.generator.parameters()) > 0.03


def test_a_pack_is_judged_as_one():
    model = nacre.create("pacgan", SPEC, hidden=(4,), pack=3)
    x = torch.randn(7, 2)
    assert model.discriminator(x).shape == (2, 1)
    assert torch.equal(model.discriminator(x), model.discriminator(x[:6]))
    with pytest.raises(NacreError, match="a pack takes 3 examples"):
        model.discriminator(x[:2])


def test_smoothing_and_flips_change_the_discriminators_labels_only():
    x = torch.randn(64, 2)
    model = GAN(SPEC, latent=3, hidden=(4,), smoothing=0.2)
    torch.manual_seed(1)
    real, fake = model.discriminator(x), model.discriminator(model.generator(torch.randn(64, 3)))
    torch.manual_seed(1)
    smooth = model.discriminator_loss(Batch(x=x))["non-saturating"]
    d = torch.sigmoid(real)
    assert torch.allclose(smooth, (-0.8 * d.log() - 0.2 * (1 - d).log() + softplus(fake)).mean(), rtol=1e-5)

    model.smoothing, model.flips = 0.0, 0.999_999
    torch.manual_seed(1)
    flipped = model.discriminator_loss(Batch(x=x))["non-saturating"]
    assert torch.allclose(flipped, (softplus(-fake) + softplus(real)).mean(), rtol=1e-4)


def test_instance_noise_has_its_deviation_and_fades():
    model, x = GAN(SPEC, instance_noise=0.5), torch.zeros(20_000, 2)
    assert float(model.seen(x).std()) == pytest.approx(0.5 * 30, rel=0.03)
    model.progress.fill_(1.0)
    assert not model.seen(x).any()


def test_what_cannot_be_combined_is_refused():
    image = Spec.image(1, 16, 16)
    with pytest.raises(NacreError, match="--batch-norm generator"):
        GAN(image, batch_norm="both", penalty=("r1",))
    with pytest.raises(NacreError, match="no labels to smooth"):
        GAN(SPEC, game="hinge", smoothing=0.1)
    with pytest.raises(NacreError, match="augmentation needs images"):
        GAN(SPEC, augment=("cutout",))
    with pytest.raises(NacreError, match="gamma_end"):
        GAN(SPEC, gamma_end=0.0)
    with pytest.raises(NacreError, match="a resnet needs images"):
        nacre.create("sngan", SPEC, network="resnet")


@pytest.mark.parametrize("network", ["dense", "conv", "resnet"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 13, 20)])
def test_every_network_makes_and_judges_images_of_any_size(network, shape):
    model = GAN(Spec.image(*shape), latent=3, hidden=(4,), channels=4, network=network, batch_norm="generator")
    x = model.sample(5, seed=0)
    assert x.shape == (5, *shape) and model.discriminator(x).shape == (5, 1)


def test_a_presets_keywords_are_those_of_gan_with_other_defaults():
    model = nacre.create("lsgan", SPEC, hidden=(4,))
    assert model.hparams["game"] == "least-squares" and model.hparams["hidden"] == (4,)
    assert list(model.hparams) == list(GAN(SPEC).hparams)
    assert nacre.create("lsgan", SPEC, game="hinge").game == "hinge"
    assert nacre.create("lsgan", SPEC, hidden=[8, 4]).hparams["hidden"] == (8, 4)
    with pytest.raises(TypeError, match="inherits no keyword nonsense"):
        type("Broken", (GAN,), {"presets": {"nonsense": 1}})


def test_running_statistics_are_those_of_the_averaged_weights():
    """After training the generator's norms are measured anew; kept from training they would belong to other weights."""
    data = nacre.load_data("digits")
    model = nacre.create("dcgan", data.spec, channels=4, latent=4)
    model.fit(data, steps=5, batch_size=16, lr=0.05, ema=0.9, device="cpu", progress=False)
    (norm,) = [m for m in model.generator.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    seen = []
    handle = norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.sample(4000, seed=0)
    handle.remove()
    x = torch.cat(seen)
    assert torch.allclose(norm.running_mean, x.mean((0, 2, 3)), atol=0.1 * float(x.std()))
    assert torch.allclose(norm.running_var, x.var((0, 2, 3)), rtol=0.2)


def test_a_constructor_that_adds_keywords_has_those_of_its_base_too():
    model = nacre.create("infogan", SPEC, hidden=(4,), continuous=1, game="hinge", prior="uniform")
    assert {"categories", "gamma_end", "instance_noise"} <= model.hparams.keys()
    assert model.hparams["game"] == "hinge" and model.hparams["latent"] == 62 and model.latent == 62 + 11
    with pytest.raises(NacreError, match="no hyper-parameter"):
        nacre.create("acgan", SPEC, inherited=3)
    with pytest.raises(NacreError, match="--pack 1"):
        nacre.create("infogan", SPEC, pack=2)


def test_a_preset_of_a_keyword_that_is_the_class_own_is_refused():
    with pytest.raises(TypeError, match="inherits no keyword latent"):
        type("Broken", (InfoGAN,), {"presets": {"latent": 5}, "__init__": InfoGAN.__init__.__wrapped__})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"game": "wgan"}, "there is no game 'wgan'"),
        ({"penalty": "r1"}, r"give a tuple, such as \('r1',\)"),
        ({"penalty": ("r1", "twosided")}, "did you mean two-sided"),
        ({"prior": "gauss"}, "there is no prior 'gauss'"),
        ({"batch_norm": "discriminator"}, "no batch norm 'discriminator'"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_in_python_too(options, words):
    with pytest.raises(NacreError, match=words):
        nacre.create("gan", SPEC, **options)


@pytest.mark.parametrize("game", ["least-squares", "wasserstein", "relativistic"])
def test_an_adaptive_strength_needs_a_game_whose_scores_have_a_sign(game):
    with pytest.raises(NacreError, match="--adaptive"):
        nacre.create("gan", nacre.load_data("digits").spec, game=game, adaptive=True)


def test_lazy_penalties_weigh_as_much_as_others_however_often_the_discriminator_steps():
    model = nacre.create("wgan-gp", SPEC, hidden=(4,), lazy=4, n_critic=5, weight_clip=0.1)
    steps, penalty, _ = model.turns()
    assert (penalty.repeat, penalty.every) == (steps.repeat, 4)
    assert penalty.after == steps.after == model.clip_weights


@pytest.mark.parametrize("pack", [1, 2, 4])
def test_the_gradient_is_that_of_what_is_judged_together(pack):
    """R1 charges a linear critic of packs whose gradient has norm 1 gamma / 2, the two-sided penalty nothing."""
    model = nacre.create("gan", SPEC, hidden=(4,), pack=pack, penalty=("r1", "two-sided"), gamma=2.0)
    direction = torch.randn(2 * pack, 1)
    direction /= direction.norm()
    model.discriminator = Packed(direction, pack)
    _, _, penalties = model.judged(Batch(x=torch.randn(8, 2)), None, model.penalty)
    assert penalties["r1"].item() == pytest.approx(1.0, abs=1e-5)
    assert penalties["two-sided"].item() == pytest.approx(0.0, abs=1e-5)


class Packed(torch.nn.Module):
    """(n, d) -> (n // pack, 1), linear."""

    def __init__(self, direction, pack):
        super().__init__()
        self.direction, self.pack = direction, pack

    def forward(self, x):
        return x.reshape(len(x) // self.pack, -1) @ self.direction


def test_no_examples_come_back_in_the_shape_of_the_answer():
    model = nacre.create("infogan", nacre.load_data("digits").spec, hidden=(4,))
    assert model.codes(torch.empty(0, 1, 8, 8)).shape == (0, 12)
    assert model.sample(0).shape == (0, 1, 8, 8)


def test_a_code_of_another_width_is_refused():
    with pytest.raises(NacreError, match=r"the codes have shape \(3, 5\); this model decodes \(n, 2\)"):
        nacre.create("gan", SPEC, latent=2, hidden=(4,)).decode(torch.zeros(3, 5))


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_model_that_does_not_load_is_named(damage, tmp_path):
    nacre.create("gan", SPEC, hidden=(4,)).save_pretrained(tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    if damage == "missing":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:100])
    else:
        nacre.create("gan", SPEC, hidden=(5,)).save_pretrained(tmp_path / "other")
        weights.write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    with pytest.raises(NacreError, match=r"model does not load .* restore it, or train anew"):
        nacre.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["biggan", "progressive-gan", "lapgan", "conv-vae", "attribute-vae"])
def test_strings_are_not_sent_to_a_model_that_cannot_take_them_either(name):
    with pytest.raises(NacreError, match="use lstm or gs-gan"):
        nacre.create(name, nacre.load_data("grammar").spec)
