"""The models: one file each, found by name (`nacre.registry`)."""
