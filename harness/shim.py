"""Small libraries in C that stand between a server and its disk, for LD_PRELOAD."""

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["NoCompiler", "compile_shim"]


class NoCompiler(Exception):
    """There is none here."""


def compile_shim(name: str, folder: Path) -> Path:
    """The shared library made of `NAME.c` beside this file. Raises NoCompiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform != "linux":
        raise NoCompiler("this needs Linux and a C compiler: install gcc")
    made = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"], check=True
    )
    return made
