"""BigGAN's parts: conditional norms and attention in closed form, chunks of the latent, and orthogonal weights."""

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from nacre.engine.play import NORMS
from nacre.errors import NacreError
from nacre.nets.biggan import BigGANDiscriminatorTrunk, BigGANGenerator, ConditionalBatchNorm, SelfAttention, attended
from nacre.nets.dcgan import halvings
from nacre.nets.norms import spectral

SIZES = [(8, 8), (16, 16), (20, 28), (33, 33)]
every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def generator(shape=(3, 16, 16), classes=3, **options):
    options = {"latent": 7, "base": 4, "embedding": 5, **options}
    return BigGANGenerator(shape=shape, classes=classes, **options)


@every_size
@pytest.mark.parametrize("classes", [("a", "b"), ()])
@pytest.mark.parametrize("skip_z", [True, False])
def test_both_take_every_size_with_and_without_classes(size, classes, skip_z):
    shape = (3, *size)
    y = torch.tensor([0, 1]) if classes else None
    image = generator(shape, classes, skip_z=skip_z)(torch.randn(2, 7), y)
    trunk = BigGANDiscriminatorTrunk(shape, 4)
    assert image.shape == (2, *shape)
    assert trunk(image).shape == (2, trunk.features)


def test_a_conditional_norm_is_an_ordinary_one_with_its_classes_gain_and_bias():
    norm, x, c = ConditionalBatchNorm(3, 2), torch.randn(6, 3, 4, 4), torch.eye(2).repeat(3, 1)
    plain = nn.BatchNorm2d(3, affine=False)(x)
    found = norm(x, c)
    for k in range(2):
        gain, bias = 1 + norm.gain.weight[:, k], norm.bias.weight[:, k]
        assert torch.allclose(found[k::2], plain[k::2] * gain[:, None, None] + bias[:, None, None], atol=1e-6)


def test_the_engine_finds_the_norms():
    """Two per block and the last: their running statistics rest while the generator does."""
    norms = [m for m in generator().modules() if isinstance(m, NORMS)]
    assert len(norms) == 2 * 2 + 1
    assert all(m.track_running_stats for m in norms)


def test_attention_begins_as_the_identity_and_agrees_with_torchs_own():
    layer, x = SelfAttention(16), torch.randn(2, 16, 6, 5)
    assert torch.equal(layer(x), x)
    nn.init.constant_(layer.gamma, 0.7)
    key, value = (
        nn.functional.max_pool2d(conv(x), 2, ceil_mode=True).flatten(2).mT for conv in (layer.key, layer.value)
    )
    seen = scaled_dot_product_attention(layer.query(x).flatten(2).mT, key, value, scale=1.0)
    assert torch.allclose(layer(x), x + 0.7 * layer.out(seen.mT.unflatten(2, (6, 5))), atol=1e-5)


def test_attention_lets_every_place_see_every_other():
    layer, x = SelfAttention(8), torch.randn(1, 8, 8, 8, requires_grad=True)
    nn.init.ones_(layer.gamma)
    layer(x)[0, :, 0, 0].sum().backward()
    pooled = nn.functional.max_pool2d(x.grad.abs().sum(1), 2)
    assert (pooled > 0).all()


@pytest.mark.parametrize(("side", "map_"), [(8, None), (16, 8), (28, 14), (32, 16), (64, 16), (128, 32)])
def test_attention_is_at_the_middle_map_of_both_if_that_is_eight_wide(side, map_):
    sizes = halvings(side, side)
    index = attended(sizes)
    assert (sizes[index][0] if index is not None else None) == map_
    found: list[int] = []
    networks = (generator((3, side, side), base=1, latent=9), BigGANDiscriminatorTrunk((3, side, side), 1))
    for module in [m for network in networks for m in network.modules() if isinstance(m, SelfAttention)]:
        module.register_forward_hook(lambda m, args, out: found.append(out.shape[-1]))
    networks[1](networks[0](torch.randn(2, 9), torch.zeros(2, dtype=torch.long)))
    assert found == ([map_] * 2 if map_ else [])


def test_every_chunk_of_the_latent_enters_at_its_own_block():
    net = generator((3, 32, 32), latent=9)
    assert net.chunks == [3, 2, 2, 2]
    assert generator((3, 32, 32), skip_z=False).chunks == [7, 0, 0, 0]
    inputs: list[torch.Tensor] = []
    for block in net.blocks:
        block.register_forward_hook(lambda m, args, out: inputs.append(args[1]))
    z, y = torch.randn(4, 9), torch.tensor([0, 1, 2, 0])
    net(z, y)
    for chunk, condition in zip(z.split(net.chunks, 1)[1:], inputs, strict=True):
        assert torch.equal(condition, torch.cat([net.embed(y), chunk], 1))


def test_a_latent_too_small_for_its_blocks_is_refused():
    with pytest.raises(NacreError, match="latent is 2, too few to reach all 2 blocks; use --latent 3 or more"):
        generator(latent=2)
    assert generator(latent=3).chunks == [1, 1, 1]


def test_labels_are_asked_for():
    with pytest.raises(NacreError, match="give it labels"):
        generator()(torch.randn(2, 7))


def test_the_class_decides_and_an_unconditional_generator_has_none():
    net = generator().eval()
    z = torch.randn(2, 7)
    first, second = net(z, torch.zeros(2, dtype=torch.long)), net(z, torch.ones(2, dtype=torch.long))
    assert (first - second).abs().max() > 1e-4
    assert not [m for m in generator(classes=0).modules() if isinstance(m, nn.Embedding)]


@pytest.mark.parametrize("network", [generator(), BigGANDiscriminatorTrunk((3, 16, 16), 4)])
def test_weights_are_orthogonal(network):
    for m in network.modules():
        if isinstance(m, nn.Conv2d | nn.Linear | nn.Embedding):
            w = m.weight.flatten(1)
            gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
            assert torch.allclose(gram, torch.eye(len(gram)), atol=1e-5)


@pytest.mark.parametrize("classes", [3, 0])
@pytest.mark.parametrize("skip_z", [True, False])
def test_no_parameter_is_idle(classes, skip_z):
    net = generator(classes=classes, skip_z=skip_z)
    for m in net.modules():
        if isinstance(m, SelfAttention):
            nn.init.ones_(m.gamma)
    net(torch.randn(9, 7), torch.arange(9) % 3 if classes else None).square().sum().backward()
    for name, p in net.named_parameters():
        assert p.grad.abs().max() > 1e-6, f"{name} is idle"


def test_the_trunk_has_second_derivatives_under_spectral_norms():
    trunk = BigGANDiscriminatorTrunk((3, 16, 16), 4)
    spectral(trunk)
    x = torch.randn(2, 3, 16, 16, requires_grad=True)
    for m in trunk.modules():
        if isinstance(m, SelfAttention):
            nn.init.ones_(m.gamma)
    (slope,) = torch.autograd.grad(trunk(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in trunk.parameters() if p.grad is not None)
