"""A trained model outside a run."""
