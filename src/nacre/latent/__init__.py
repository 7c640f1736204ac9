"""Tools for latent spaces."""

from nacre.latent.interpolate import interpolate

__all__ = ["interpolate"]
