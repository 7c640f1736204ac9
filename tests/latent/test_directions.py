import pytest
import torch
from sklearn.decomposition import PCA

import nacre
from nacre.latent import conditioned, edit, principal_directions, separating_direction


def codes(n=2_000, scales=(1.0, 1.0, 1.0, 1.0)):
    return torch.randn(n, len(scales), generator=torch.Generator().manual_seed(0)) * torch.tensor(scales)


def normal(seed, d=4):
    n = torch.randn(d, generator=torch.Generator().manual_seed(seed))
    return n / n.norm()


def cosine(a, b):
    return float(torch.cosine_similarity(a.double(), b.double(), dim=0))


def test_the_normal_of_separable_codes_is_found():
    z, n = codes(), normal(1)
    found = separating_direction(z, z @ n > 0.2, name="n")
    assert cosine(found.step, n) > 0.999
    assert found.step.norm() == pytest.approx(1, abs=0.05)
    assert found.accuracy > 0.99


def test_codes_of_unlike_scales_move_as_far_as_they_do_with_the_score():
    """For z ~ N(0, S) split by n.z the step is S n / sqrt(n' S n): the mean of the move given one deviation of n.z."""
    scales, n = (3.0, 1.0, 0.05, 1.0), normal(2)
    z, variances = codes(8_000, scales), torch.tensor(scales).square()
    found = separating_direction(z, z @ n > 0)
    expected = variances * n / (n @ (variances * n)).sqrt()
    assert torch.allclose(found.step, expected, atol=0.15)
    assert cosine(found.step, expected) > 0.998
    assert abs(found.step[2]) < 0.01  # a dimension that hardly varies is hardly moved
    assert torch.dot(found.step, found.score) == pytest.approx(1, rel=1e-4)
    assert float((z @ found.score).std()) == pytest.approx(1, abs=0.02)


def test_a_rare_attribute_that_codes_say_nothing_of_has_the_accuracy_of_chance():
    present = torch.rand(2_000, generator=torch.Generator().manual_seed(5)) < 0.1
    assert separating_direction(codes(), present).accuracy == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("scales", [(1.0, 1.0, 1.0, 1.0), (3.0, 1.0, 0.2, 1.0)])
def test_a_conditioned_direction_leaves_the_kept_scores_alone(scales):
    z, a, b = codes(scales=scales), normal(1), normal(2)
    one, other, third = (separating_direction(z, z @ n > 0) for n in (a, b, normal(3)))
    left = conditioned(one, [other, third])
    for kept in (other, third):
        assert abs(torch.dot(left.step, kept.score)) < 1e-5
        assert abs(torch.dot(one.step, kept.score)) > 0.05
    assert torch.dot(left.step, left.score) == pytest.approx(1, rel=1e-4)
    assert float((z @ left.score).std()) == pytest.approx(1, abs=0.02)
    again = conditioned(one, [other, third, other])
    assert torch.allclose(left.step, again.step, atol=1e-5)
    assert conditioned(one, []) is one


def test_for_normal_codes_conditioning_is_the_orthogonal_complement():
    from nacre.latent import Direction

    n, k = normal(1).double(), normal(2).double()
    rest = n - (n @ k) * k
    left = conditioned(Direction(n, n), [Direction(k, k)])
    assert torch.allclose(left.step, rest / rest.norm())


def test_nothing_is_left_beside_itself():
    z = codes()
    one = separating_direction(z, z[:, 0] > 0, name="one")
    with pytest.raises(nacre.NacreError, match="nothing of one is left"):
        conditioned(one, [one])


def test_principal_directions_are_sklearns():
    z = codes(scales=(3.0, 2.0, 1.0, 0.5)) @ torch.linalg.qr(torch.randn(4, 4))[0]
    reference = PCA().fit(z.double().numpy())
    for i, found in enumerate(principal_directions(z, 4)):
        assert abs(cosine(found.step, torch.as_tensor(reference.components_[i]))) > 1 - 1e-6
        assert float(found.step.norm()) == pytest.approx(reference.explained_variance_[i] ** 0.5, rel=1e-4)
        assert found.variance == pytest.approx(reference.explained_variance_ratio_[i], rel=1e-4)
        assert torch.dot(found.step, found.score) == pytest.approx(1, rel=1e-4)
        assert found.step[found.step.abs().argmax()] > 0


def test_dimensions_that_never_change_are_left_out():
    z = torch.cat([codes(), torch.full((2_000, 2), 7.0)], 1)
    found = separating_direction(z, z[:, 0] > 0)
    assert torch.allclose(found.step[4:], torch.zeros(2), atol=1e-5)
    with pytest.raises(nacre.NacreError, match="differ in 4 dimensions"):
        principal_directions(z, 5)


def test_too_few_or_equal_codes():
    z = codes(20)
    with pytest.raises(nacre.NacreError, match="one side has 2"):
        separating_direction(z, torch.arange(20) < 2, name="rare")
    with pytest.raises(nacre.NacreError, match="all the same"):
        separating_direction(torch.ones(20, 3), torch.arange(20) < 10)
    with pytest.raises(nacre.NacreError, match="no 1 components"):
        principal_directions(torch.ones(20, 3), 1)


def test_an_edit_moves_by_steps(plane):
    z = codes(5)
    direction = separating_direction(codes(), codes()[:, 0] > 0)
    walk = edit(plane(4), z, direction, [-1.0, 0.0, 2.0])
    assert walk.shape == (5, 3, 4)
    assert torch.equal(walk[:, 1], z)
    assert torch.allclose(walk[:, 2] - walk[:, 0], (3 * direction.step).expand(5, 4), atol=1e-5)
