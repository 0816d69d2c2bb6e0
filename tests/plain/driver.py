"""The client with the plain screen: `driver.py ADDRESS NAME [operator]`."""

import asyncio
import contextlib
import signal
import sys

from ipcchat.address import parse_address
from ipcchat.cli import run
from ipcchat.client.link import Credentials
from ipcchat.client.outbox import new_draft
from ipcchat.client.profile import open_profile
from ipcchat.client.session import Session
from ipcchat.client.unsent import Unsent
from ipcchat.configuration import load
from ipcchat.plain.app import run as run_plain
from ipcchat.settings import ClientSettings


def main() -> int:
    address = parse_address(sys.argv[1])
    settings, _ = load(ClientSettings, flags={})
    with open_profile(sys.argv[2], interactive=True) as profile:
        unsent = Unsent(profile, str(address)) if profile.locked else None
        credentials = Credentials(
            profile.nick, profile.secret, profile.identity, profile.asked, device=new_draft()
        )

        async def talk() -> int:
            code = 0
            task = asyncio.current_task()
            assert task is not None

            def end(number: int) -> None:
                nonlocal code
                code = 128 + number
                task.cancel()

            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end, signal.SIGTERM)
            session = Session(address, credentials, settings, unsent=unsent)
            try:
                await session.start()
                operator = "operator" in sys.argv[3:]
                there = await run_plain(session, settings, operator=operator)
                if there is not None:
                    sys.stderr.write(f"to {there}\n")
            except asyncio.CancelledError:
                if not code:
                    raise
            finally:
                with contextlib.suppress(OSError):
                    await session.close()
            return code

        return asyncio.run(talk())


if __name__ == "__main__":
    if "hasty" in sys.argv[3:]:
        from ipcchat.plain import speech

        speech._PATIENCE = 0.3
    if "fails" in sys.argv[3:]:
        from ipcchat.plain.screen import PlainScreen

        def fail(self: PlainScreen, line: str) -> None:
            raise RuntimeError("on purpose")

        PlainScreen.submit = fail  # type: ignore[method-assign]
    sys.exit(run.command("plain", main))
