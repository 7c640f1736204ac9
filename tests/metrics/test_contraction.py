"""The norm of the encoder's derivative, against closed forms."""

import pytest
import torch

import nacre
from nacre.errors import NacreError
from nacre.metrics import evaluate


def test_a_linear_encoder_has_the_norm_of_its_weights_everywhere(digits):
    model = nacre.create("ae", digits.spec, latent=8, hidden=(), activation="identity")
    found = evaluate(model, digits, ["contraction"], n=200).get("jacobian_norm")
    weight = next(model.encoder.parameters()).detach() / model.from_data.scale
    assert found.value == pytest.approx(float(weight.norm()), rel=0.02)
    assert found.interval
    assert found.interval[1] - found.interval[0] < 0.02 * found.value


def test_it_agrees_with_the_closed_form_of_sigmoid_units(digits):
    model = nacre.create("contractive-ae", digits.spec, latent=30)
    found = evaluate(model, digits, ["contraction"], n=100).get("jacobian_norm")
    x = model.rows(digits.sibling("test").examples(100).x)
    with torch.no_grad():
        exact = model.jacobian(x, model.encoder(x)).sqrt().mean()
    assert found.value == pytest.approx(float(exact), rel=0.02)


def test_a_model_without_codes_is_refused(digits):
    with pytest.raises(NacreError, match="cannot be judged by contraction here: its codes have no derivative"):
        evaluate(nacre.create("gan", digits.spec), digits, ["contraction"])
