"""Connections are cut, reset, stalled and half-closed at random bytes, a thousand times.

    python -m harness.cut [--cuts 1000] [--people 8] [--seed N]

People talk at full speed in two rooms, each through a proxy that spoils every connection. At the
end every acknowledged line is in the journal and with every listener, once, and each talker's
lines are in the order in which they were said.
"""

import argparse
import asyncio
import dataclasses
import random
import sys
import tempfile
from pathlib import Path

from tests.support import serve_process

from harness.people import Company
from harness.proxy import Proxy
from harness.report import judged

__all__ = ["cut"]

LONGEST = 600.0
"""Seconds after which there are no more cuts."""


async def cut(
    cuts: int,
    *,
    people: int = 8,
    seed: int | None = None,
    least: int = 1000,
    most: int = 200_000,
) -> dict[str, object]:
    """Runs it; returns the figures. `least`, `most`: bytes before a connection is spoiled."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, serve_process(Path(folder)) as server:
        home = Path(folder) / "people"
        rooms = ("#lobby", "#engine-room")
        async with (
            Proxy(server.port, chance, least=least, most=most) as proxy,
            Company(proxy.address, home, people=people, rooms=rooms) as company,
        ):
            company.talk()
            async with asyncio.timeout(LONGEST):
                await proxy.wait_for(cuts)
            proxy.peace = True
            await company.hush(60)
            verdict = await company.verdict(120)
            fates = dict(proxy.fates)
    return {
        **fates,
        "cuts": sum(fates.values()),
        **dataclasses.asdict(verdict),
        "clean": verdict.clean,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    run = cut(options.cuts, people=options.people, seed=options.seed)
    return judged("cut", lambda: asyncio.run(run))


if __name__ == "__main__":
    sys.exit(main())
