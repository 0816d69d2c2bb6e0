"""What asks for attention: the user's command, or the bell where that can't be run."""

import time
from pathlib import Path

import pytest
from tests.plain.spoken import Spoken, spoken
from tests.support import serve_process


def until(path: Path, *, pumping: Spoken) -> str:
    """What a file says as soon as it is there."""
    deadline = time.monotonic() + 15
    while not path.exists():
        assert time.monotonic() < deadline, pumping.text
        pumping.pump(0.05)
    return path.read_text()


@pytest.mark.parametrize("works", [True, False])
def test_the_command_is_run_or_there_is_a_bell(tmp_path: Path, works: bool) -> None:
    told, hook = tmp_path / "told", tmp_path / "hook"
    words = '"$IPCCHAT_ALERT_ROOM|$IPCCHAT_ALERT_TEXT|$(cat)"'
    hook.write_text(f"#!/bin/sh\necho {words} >{told}.new && mv {told}.new {told}\n")
    hook.chmod(0o700 if works else 0o600)
    with (
        serve_process(tmp_path / "server") as server,
        spoken(
            server.address,
            "ann",
            home=tmp_path / "ann",
            IPCCHAT_NOTIFY="command",
            IPCCHAT_NOTIFY_COMMAND=str(hook),
        ) as ann,
        spoken(server.address, "bob", home=tmp_path / "bob") as bob,
    ):
        ann.wait("now in #lobby")
        bob.wait("now in #lobby")
        bob.line("ann: look; $(touch no)")
        ann.wait("look")
        if works:
            text = "bob: ann: look; $(touch no)"
            assert until(told, pumping=ann) == f"#lobby|{text}|{text}\n"
            assert b"\a" not in ann.raw
            return
        ann.wait("Permission denied")
        deadline = time.monotonic() + 15
        while b"\a" not in ann.raw:
            assert time.monotonic() < deadline
            bob.line("ann: again")
            ann.pump(0.5)
        assert ann.text.count("notify command") == 1
