"""Tools for latent spaces: paths, grids, directions, edits, truncation, projection; for every model that can decode."""

from nacre.latent.arithmetic import analogy, difference
from nacre.latent.attributes import Attribute, attribute, class_attributes, score_attribute
from nacre.latent.codes import Codes, codes_of, has_prior
from nacre.latent.directions import Direction, conditioned, edit, principal_directions, separating_direction
from nacre.latent.effect import Effect, measure
from nacre.latent.interpolate import interpolate
from nacre.latent.manifold import manifold
from nacre.latent.project import Projection, project
from nacre.latent.toward import direction_toward
from nacre.latent.traverse import traverse
from nacre.latent.truncation import sample_truncated, truncated_noise

__all__ = [
    "Attribute",
    "Codes",
    "Direction",
    "Effect",
    "Projection",
    "analogy",
    "attribute",
    "class_attributes",
    "codes_of",
    "conditioned",
    "difference",
    "direction_toward",
    "edit",
    "has_prior",
    "interpolate",
    "manifold",
    "measure",
    "principal_directions",
    "project",
    "sample_truncated",
    "score_attribute",
    "separating_direction",
    "traverse",
    "truncated_noise",
]
