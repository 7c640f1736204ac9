"""Autoencoders: models that encode and decode."""
