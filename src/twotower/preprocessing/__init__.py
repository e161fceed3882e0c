"""Filters of an interaction log, before the split and on the ground truth after it."""
