"""What autoencoders refuse in one sentence, where a traceback or a wrong answer stood before."""

import pytest
import torch
from torch.utils.data import TensorDataset

import nacre
from nacre import NacreError
from nacre.few_labels import few_labels
from nacre.impute import impute
from nacre.latent.interpolate import interpolate
from nacre.nets.scale import unrounded


@pytest.mark.parametrize("name", ["ladder-vae", "stacked-ae"])
def test_a_stack_without_layers_is_refused(name):
    with pytest.raises(NacreError, match="hidden is empty; give one layer"):
        nacre.create(name, nacre.load_data("digits").spec, hidden=())


def test_transfer_to_images_of_another_size_is_refused_before_anything_is_made():
    model = nacre.create("ae", nacre.load_data("digits").spec)
    other = nacre.load_data((torch.rand(40, 1, 12, 12), torch.arange(40) % 4), split="train")
    with pytest.raises(NacreError, match=r"the data have shape \(1, 12, 12\)"):
        few_labels(model, other, other, labels=8)


def test_the_codes_of_two_layers_are_not_held_against_one_prior():
    digits = nacre.load_data("digits")
    with pytest.raises(NacreError, match="no normal posterior q"):
        nacre.evaluate(nacre.create("ladder-vae", digits.spec), digits, ["aggregate"])


def test_missing_values_of_bounded_data_are_filled_in():
    digits = nacre.load_data("digits")
    x = digits.examples(4).x
    gone = torch.zeros_like(x, dtype=torch.bool)
    gone[..., :4] = True
    filled = impute(nacre.create("tabular-vae", digits.spec), x, gone, steps=2)
    assert torch.equal(filled[~gone], x[~gone]) and filled.isfinite().all()


def test_what_is_said_in_bf16_is_reckoned_with_in_float32():
    assert unrounded(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32
    assert unrounded(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64
    model = nacre.create("vae", nacre.load_data("digits").spec)
    with torch.autocast("cpu", torch.bfloat16):
        assert model.posterior(torch.rand(2, 1, 8, 8)).dtype == torch.float32


def test_what_a_model_cannot_take_is_said_in_one_sentence():
    digits = nacre.load_data("digits")
    vae, cvae = (nacre.create(name, digits.spec, latent=2) for name in ("vae", "cvae"))
    x = digits.examples(3).x
    for ask, words in (
        (lambda: vae.sample(3, labels=1), "vae takes no labels in `sample`"),
        (lambda: vae.reconstruct(x, labels=1), "vae takes no labels in `encode`"),
        (lambda: impute(vae, x, torch.ones(8, 8), attributes={"slant": 1}), "takes no attributes in `redraw`"),
        (lambda: impute(vae, x, "left"), r"region\('left', model.spec.shape\) makes one"),
        (lambda: cvae.sample(2, labels=[[1], [2]]), r"labels have shape \(2, 1\)"),
        (lambda: vae.encode(digits), "a Data is no array of numbers"),
        (lambda: vae.encode(None), "a NoneType is no array"),
        (lambda: interpolate(vae, torch.zeros(2), torch.zeros(3)), r"shapes \(2,\), \(3,\)"),
        (lambda: nacre.create("vae", digits.spec, latent="x"), "latent is 'x'; give a number"),
        (lambda: digits.examples(-1), "n is -1"),
        (lambda: nacre.load_data(TensorDataset(x, torch.arange(3))), "is a TensorDataset and no array"),
    ):
        with pytest.raises(NacreError, match=words):
            ask()
    told = nacre.create("cvae", nacre.load_data("digits", attributes=("slant",)).spec)
    with pytest.raises(NacreError, match="slant is 'much'; give a number"):
        told.sample(2, attributes={"slant": "much"})


def test_of_no_examples_nothing_comes_back():
    model = nacre.create("vae", nacre.load_data("digits").spec, latent=2)
    nothing = torch.zeros(0, 1, 8, 8)
    assert model.score_samples(nothing, draws=3).shape == (0,)
    assert model.encode(nothing).shape == (0, 2) and model.reconstruct(nothing).shape == nothing.shape
