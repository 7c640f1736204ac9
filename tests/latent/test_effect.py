import pytest
import torch
from scipy.stats import norm

import nacre
from nacre.latent import Attribute, Codes, Direction, attribute, codes_of, direction_toward, measure
from nacre.latent.attributes import score_attribute


def axis(i, d=2):
    return Direction(torch.eye(d)[i], torch.eye(d)[i], str(i))


def test_on_a_known_generator_the_shares_are_known(plane):
    """Moving N(0, 1) by s, the share of the negative ones that turns positive is (Phi(s) - 1/2) / (1/2)."""
    z = torch.randn(40_000, 2)
    first, second = (Attribute(str(i), lambda x, i=i: x[:, i]) for i in range(2))
    diagonal = Direction(torch.tensor([1.0, 0.5]), torch.tensor([1.0, 0.0]))
    for effect in measure(plane(), z, diagonal, first, [second], strengths=(0.5, 1.0, 2.0)):
        s = effect.strength
        assert effect.flipped == pytest.approx(2 * norm.cdf(s) - 1, abs=0.02)
        assert effect.changed == {"1": pytest.approx(norm.cdf(s / 2) - 0.5, abs=0.02)}
        assert effect.n == int((z[:, 0] <= 0).sum())
    assert measure(plane(), z, axis(0), first, [second], strengths=(3.0,))[0].changed == {"1": 0.0}
    with pytest.raises(nacre.NacreError, match="already"):
        measure(plane(), z.abs() + 1, axis(0), first)


def test_a_score_is_cut_at_its_median():
    x = torch.arange(11.0)[:, None]
    upper = score_attribute("upper", lambda x: x[:, 0], x)
    assert upper.threshold == 5 and int(upper.present(x).sum()) == 5


def test_labels_are_used_where_there_are_some_and_else_the_decoded_example(plane):
    z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    positive = Attribute("positive", lambda x: x[:, 0], label=4)
    assert positive.of_codes(plane(), Codes(z, torch.tensor([0, 4]))).tolist() == [False, True]
    assert positive.of_codes(plane(), Codes(z)).tolist() == [True, False]


def test_codes_are_encoded_or_drawn(plane, vae, digits):
    drawn = codes_of(plane(), n=7, seed=1)
    assert torch.equal(drawn.z, codes_of(plane(), n=7, seed=1).z) and drawn.z.shape == (7, 2) and drawn.y is None
    batch = digits.examples(9, 3)
    encoded = codes_of(vae, digits, n=9, seed=3)
    assert torch.equal(encoded.z, vae.encode(batch.x)) and torch.equal(encoded.y, batch.y)
    assert torch.equal(encoded.take(encoded.y == 3).y, batch.y[batch.y == 3])
    with pytest.raises(nacre.NacreError, match="give data"):
        codes_of(vae)
    with pytest.raises(nacre.NacreError, match="at least 1"):
        codes_of(plane(), n=0)


def test_digits_turn_into_zeros_the_more_the_stronger(vae, digits):
    """On held-out codes; what turns a digit into a 0 is judged by a classifier of the real digits."""
    known, held = codes_of(vae, digits), codes_of(vae, digits.sibling("test"))
    zero = attribute("0", digits)
    direction = direction_toward(vae, known, zero)
    assert direction.accuracy > 0.9
    effects = measure(vae, held.z, direction, zero, strengths=(0.5, 1.5, 3.0, 4.5))
    flipped = [effect.flipped for effect in effects]
    assert flipped == sorted(flipped) and flipped[0] < 0.1 and flipped[-1] > 0.8
    from_four = direction_toward(vae, known, zero, start=attribute("4", digits))
    fours = held.take(held.y == 4)
    assert torch.allclose(from_four.step, known.z[known.y == 0].mean(0) - known.z[known.y == 4].mean(0), atol=1e-6)
    assert measure(vae, fours.z, from_four, zero, strengths=(1.5,))[0].flipped > 0.8


def test_a_kept_attribute_changes_less(vae, digits):
    known, held = codes_of(vae, digits), codes_of(vae, digits.sibling("test"))
    six, slant = attribute("6", digits), attribute("slant", digits)
    free, kept = (
        measure(vae, held.z, direction_toward(vae, known, six, keep=keep), six, [slant], strengths=(2.0,))[0]
        for keep in ([], [slant])
    )
    assert kept.changed["slant"] < 0.6 * free.changed["slant"]


def test_unknown_attributes_are_named(digits):
    with pytest.raises(nacre.NacreError, match="thickness"):
        attribute("thicknes", digits)
    bare = nacre.load_data("swiss-roll")
    with pytest.raises(nacre.NacreError, match="principal component"):
        attribute("red", bare)
