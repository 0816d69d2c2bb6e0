"""What a figure depends on: the machine and the versions, for the head of every report."""

import importlib.metadata
import os
import platform
import sqlite3
from pathlib import Path

__all__ = ["describe", "few_processors", "installed"]


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def installed(package: str) -> str:
    """Its version here."""
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
        "ipcchat": installed("ipcchat"),
        "msgspec": installed("msgspec"),
        "uvloop": installed("uvloop"),
        "sqlite": sqlite3.sqlite_version,
    }


def few_processors() -> str:
    """Why a server and its load can't have a processor each here; empty: they can."""
    if not hasattr(os, "sched_getaffinity"):
        return "this needs Linux: it pins the server and the load"
    if len(os.sched_getaffinity(0)) < 2:
        return "this needs two processors: one for the server, one for the load"
    return ""
