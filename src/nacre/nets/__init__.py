"""Networks, built from the shape of the data."""
