"""Describes the machine that measured, without identifying it."""

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Machine:
    processor: str
    cores: int
    memory: int
    """Bytes."""
    system: str
    python: str
    emulator: str


def this_machine() -> Machine:
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 0,
        memory=psutil.virtual_memory().total,
        system=f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.machine()}",
        python=platform.python_version(),
        emulator=f"Runtime Interface Emulator of {_version('aws-sam-cli')}, {_version('awslambdaric')}",
    )


def _processor() -> str:
    """Reads the model name, which only x86 machines report there."""
    lines = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == "model name"), platform.machine())


def _version(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"
