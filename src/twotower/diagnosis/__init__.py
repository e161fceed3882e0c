"""Examines a dataset, its split and a config before anything is trained."""

from twotower.diagnosis.diagnose import diagnose
from twotower.diagnosis.findings import Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "diagnose"]
