"""Autoregressive models: one symbol after the other, by maximum likelihood."""
