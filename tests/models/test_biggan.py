"""BigGAN: labels reach both players, all weights are normalised, and truncation and labels go together."""

import pytest
import torch
from torch.nn.utils.parametrize import is_parametrized

import nacre
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.latent.truncation import sample_truncated, truncated_noise
from nacre.losses.orthogonal import orthogonal_penalty
from nacre.models.gans.biggan import BigGAN
from nacre.nets.biggan import ConditionalBatchNorm

SPEC = Spec.image(1, 16, 16, classes=("zero", "one", "two"))


def small(spec: Spec = SPEC, **options) -> BigGAN:
    torch.manual_seed(0)
    return BigGAN(spec, **{"latent": 6, "channels": 4, "embedding": 5, **options})


def test_the_score_is_that_of_the_image_and_of_its_class():
    model = small().eval()
    d, x = model.discriminator, torch.rand(4, 1, 16, 16)
    y = torch.tensor([0, 1, 2, 1])
    phi = d.judge.look(x)
    expected = d.judge.head(phi)[:, 0] + (phi * d.embed.weight[y]).sum(1)
    assert torch.allclose(d(x, y)[:, 0], expected, atol=1e-5)


def test_every_weight_of_both_players_is_divided_by_its_norm_but_the_shared_embedding():
    model = small()
    for player in (model.generator, model.discriminator):
        layers = [m for m in player.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d | torch.nn.Embedding)]
        free = [layer for layer in layers if not is_parametrized(layer, "weight")]
        assert layers and free == ([model.generator.embed] if player is model.generator else [])
    plain = small(spectral_norm=False)
    assert not any(is_parametrized(m) for m in plain.modules())


def test_norms_of_a_constant_condition_keep_their_size():
    model = BigGAN(Spec.image(1, 16, 16), latent=6, channels=4, skip_z=False)
    norms = [m for m in model.generator.modules() if isinstance(m, ConditionalBatchNorm)]
    assert norms and not any(is_parametrized(layer) for norm in norms for layer in (norm.gain, norm.bias))


def test_the_generator_pays_for_filters_that_are_alike_and_the_discriminator_does_not():
    model, batch = small(orthogonality=0.3), Batch(x=torch.rand(4, 1, 16, 16), y=torch.tensor([0, 1, 2, 0]))
    terms = model.generator_loss(batch)
    assert torch.allclose(terms["orthogonality"], 0.3 * orthogonal_penalty(model.generator))
    assert list(model.discriminator_loss(batch)) == ["hinge"]
    assert list(small(orthogonality=0.0).generator_loss(batch)) == ["hinge"]


def test_labels_and_truncation_go_together():
    model = small().eval()
    torch.manual_seed(2)
    z = truncated_noise(5, 6, 0.5)
    assert torch.equal(sample_truncated(model, 5, 0.5, seed=2, labels="two"), model.decode(z, labels=2))
    one, two = (model.decode(z, labels=k) for k in (1, 2))
    assert not torch.allclose(one, two)
    assert torch.equal(model.decode(z), model.decode(z))
    with pytest.raises(NacreError, match="there is no class 'four'"):
        model.sample(1, labels="four")


def test_statistics_are_those_of_the_classes_that_the_data_have():
    """After training the norms' means come from labels as frequent as in the data, not from one class."""
    model = small()
    model.conditions.labels.copy_(torch.arange(10_000) % 2 + 1)
    _, y = model.inputs(400)
    assert set(y.tolist()) == {1, 2}
    before = model.generator.end[0].running_mean.clone()
    model.finish()
    assert not torch.equal(before, model.generator.end[0].running_mean)
    assert all(m.training for m in model.generator.modules())


def test_images_without_labels_make_an_unconditional_game():
    model = small(Spec.image(1, 16, 16))
    batch = Batch(x=torch.rand(4, 1, 16, 16))
    assert model.discriminator_loss(batch)["hinge"].isfinite() and model.generator_loss(batch)["hinge"].isfinite()
    model.finish()
    assert model.sample(3, seed=0).shape == (3, 1, 16, 16)
    with pytest.raises(NacreError, match="trained without labels"):
        model.sample(3, labels=1)


def test_other_data_are_refused_with_a_way_out():
    for spec, words in (
        (Spec((4,)), "needs images"),
        (Spec.image(1, 16, 16, attributes=("ink",)), "no attributes; use projection-gan"),
    ):
        with pytest.raises(NacreError, match=words):
            nacre.create("biggan", spec)
    with pytest.raises(NacreError, match="too few to reach all 2 blocks"):
        small(latent=2)
