"""The machine and the versions that a benchmark ran with, in a line."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch


def machine() -> str:
    """Return the processor, its vector instructions, and versions of what does the work."""
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next((x.split(": ")[1] for x in lines if x.startswith("model name")), processor)
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numba", "numpy"))
    return (
        f"{processor}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, "
        f"{torch.get_num_threads()} threads; Python {platform.python_version()}, {packages}"
    )
