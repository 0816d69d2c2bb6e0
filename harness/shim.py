"""Small libraries in C that stand between a server and its disk, for LD_PRELOAD."""

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["NoCompiler", "NoLibrary", "compile_program", "compile_shim"]


class NoCompiler(Exception):
    """There is none here."""


class NoLibrary(Exception):
    """One that a program is linked with is not here."""


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


def compile_program(
    source: Path, folder: Path, *flags: str, libraries: dict[str, str] | None = None
) -> Path:
    """The program made of a C file; `flags`: more for the compiler, more C files among them.

    `libraries`: file name (`libssl.so.3`) → what to install where it is missing; their headers are
    not needed. Raises NoCompiler, NoLibrary.
    """
    made = folder / source.stem
    compiler = _compiler()
    for name, package in (libraries or {}).items():
        # A compiler that does not find it gives the name back as it was.
        ran = subprocess.run(
            [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        )
        if not Path(ran.stdout.strip()).is_absolute():
            raise NoLibrary(f"this needs {name}: install {package}")
    linked = [f"-l:{name}" for name in libraries or {}]
    subprocess.run([compiler, "-O2", "-o", str(made), str(source), *flags, *linked], check=True)
    return made
