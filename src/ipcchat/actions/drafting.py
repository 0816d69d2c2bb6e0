"""The user's own editor on a draft, in a file that only the user can read."""

import asyncio
import os
import shlex
import shutil
import tempfile
from pathlib import Path

from ipcchat.errors import IpcchatError

__all__ = ["edited"]

_HINT = "set EDITOR, or /set editor PROGRAM"
_USUAL = ("editor", "nano", "vi", "vim", "emacs")
_LARGEST = 256 * 1024
"""Bytes of a draft that are read back: many times what a message may have."""


async def edited(text: str, program: str = "") -> str:
    """The text as the user left it, without line ends at its end.

    The editor is `program`, else $VISUAL, $EDITOR or a usual one; it has the terminal, whose modes
    the caller has put back. Raises IpcchatError where it can't be run, fails, or leaves no text.
    """
    words = _words(program)
    try:
        folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="ipcchat-")
    except OSError as error:
        raise IpcchatError(f"the draft can't be written: {error.strerror}") from None
    try:
        path = Path(folder.name) / "draft.txt"
        await asyncio.to_thread(_write, path, text)
        await _run(words, path)
        return await asyncio.to_thread(_read, path)
    finally:
        await asyncio.to_thread(folder.cleanup)


def _words(program: str) -> list[str]:
    for command in (program, os.environ.get("VISUAL", ""), os.environ.get("EDITOR", "")):
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise IpcchatError(f"the editor can't be run: {command}: {error}", _HINT) from None
        if words:
            return words
    for name in _USUAL:
        if shutil.which(name):
            return [name]
    raise IpcchatError("no editor is known", _HINT)


async def _run(words: list[str], path: Path) -> None:
    try:
        process = await asyncio.create_subprocess_exec(*words, str(path))
    except OSError as error:
        raise IpcchatError(f"{words[0]} can't be run: {error.strerror}", _HINT) from None
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if code:
        raise IpcchatError(f"{words[0]} ended with {code}", "the draft is as it was")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n" * bool(text), encoding="utf-8")
    except OSError as error:
        raise IpcchatError(f"the draft can't be written: {error.strerror}") from None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise IpcchatError("the draft is too long", "a message has at most 16 KiB")
        text = data.decode()
    except OSError as error:
        raise IpcchatError(f"the draft can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise IpcchatError("the draft is not UTF-8", "the draft is as it was") from None
    return text.replace("\r\n", "\n").rstrip("\n")
