"""The user's own editor, for what is being typed (Ctrl+X Ctrl+E)."""

import asyncio
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from prompt_toolkit.application.run_in_terminal import in_terminal

from ipcchat.errors import IpcchatError, UsageError
from ipcchat.text import clean_text, visible

__all__ = ["command", "edit"]

_USUAL = ("editor", "nano", "vim", "vi", "emacs")
_HINT = "set VISUAL or EDITOR, or /set editor PROGRAM"


def command(setting: str, environ: Mapping[str, str]) -> list[str]:
    """The words that start the editor: the setting's, VISUAL's, EDITOR's, or a usual one's.

    Raises UsageError where there is none.
    """
    for words in (setting, environ.get("VISUAL", ""), environ.get("EDITOR", "")):
        try:
            found = shlex.split(words)
        except ValueError as error:
            raise UsageError(f"the editor {visible(words)}: {error}".lower(), _HINT) from None
        if found:
            return found
    for name in _USUAL:
        if shutil.which(name):
            return [name]
    raise UsageError("no editor is known", _HINT)


async def edit(words: Sequence[str], text: str) -> str:
    """Lets the user edit a text; what was saved. The file is the user's alone, and goes.

    Raises IpcchatError.
    """
    async with in_terminal():
        return await asyncio.to_thread(_edited, words, text)


def _edited(words: Sequence[str], text: str) -> str:
    handle, name = tempfile.mkstemp(suffix=".txt", prefix="ipcchat-")
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n" * bool(text))
        try:
            code = subprocess.call([*words, name])
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise IpcchatError(f"cannot start {visible(words[0])}: {why}", _HINT) from None
        if code:
            raise IpcchatError(
                f"{visible(words[0])} failed with exit code {code}", "nothing changed"
            )
        return clean_text(path.read_text(encoding="utf-8", errors="replace")).rstrip("\n")
    finally:
        path.unlink(missing_ok=True)
