"""Small libraries in C that stand between a server and its disk, for LD_PRELOAD."""

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["NoCompiler", "compile_program", "compile_shim"]


class NoCompiler(Exception):
    """There is none here."""


def _compiler() -> str:
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found is None or sys.platform != "linux":
        raise NoCompiler("this needs Linux and a C compiler: install gcc")
    return found


def compile_shim(name: str, folder: Path) -> Path:
    """The shared library made of `NAME.c` beside this file. Raises NoCompiler."""
    made = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    flags = ["-O2", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"]
    subprocess.run([_compiler(), *flags], check=True)
    return made


def compile_program(source: Path, folder: Path) -> Path:
    """The program made of a C file. Raises NoCompiler."""
    made = folder / source.stem
    subprocess.run([_compiler(), "-O2", "-o", str(made), str(source)], check=True)
    return made
