"""What a figure depends on: the machine and the versions, for the head of every report."""

import importlib.metadata
import os
import platform
import sqlite3
from pathlib import Path

__all__ = ["describe"]


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def describe() -> dict[str, str]:
    """Machine and versions, for a report's head and its JSON line."""
    return {
        "cpu": f"{os.cpu_count()} × {_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "ipcchat": _version("ipcchat"),
        "msgspec": _version("msgspec"),
        "uvloop": _version("uvloop"),
        "sqlite": sqlite3.sqlite_version,
    }
