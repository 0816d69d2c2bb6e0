"""The server gets kill -9 at random moments, and is started again on the same data.

    python -m harness.crash [--rounds 100] [--people 6] [--seed N]

People talk at full speed in two rooms through the public client all the while. At the end every
acknowledged line is in the journal and with every listener, once, in one order, without a gap.
"""

import argparse
import asyncio
import dataclasses
import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support import serve_process

from harness.people import Company
from harness.report import judged

__all__ = ["crash"]


async def crash(
    rounds: int,
    *,
    people: int = 6,
    seed: int | None = None,
    longest: float = 1.2,
    between: Callable[[Path], None] | None = None,
    **env: Any,
) -> dict[str, object]:
    """Runs it; returns the figures.

    `longest`: seconds from one start to the next kill; `between`: what happens to the data
    directory before the next start; `env`: of the server.
    """
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder)
        server = stack.enter_context(serve_process(home, **env))
        port = server.port
        rooms = ("#lobby", "#engine-room")
        async with Company(server.address, home / "people", people=people, rooms=rooms) as company:
            company.talk()
            for _ in range(rounds):
                await asyncio.sleep(chance.uniform(0.05, longest))
                await asyncio.to_thread(server.kill)
                if between is not None:
                    between(server.data)
                server = await asyncio.to_thread(
                    stack.enter_context, serve_process(home, port=port, **env)
                )
            await company.hush(60)
            verdict = await company.verdict(120)
    return {"rounds": rounds, **dataclasses.asdict(verdict), "clean": verdict.clean}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    run = crash(options.rounds, people=options.people, seed=options.seed)
    return judged("crash", lambda: asyncio.run(run))


if __name__ == "__main__":
    sys.exit(main())
