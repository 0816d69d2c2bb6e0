"""The power goes at random moments: what was not synced is gone, then the server starts again.

    python -m harness.power [--rounds 20] [--people 6] [--seed N]

The server runs with `power.c` below it, which keeps what every write to the journal's files
replaces until their next sync. After kill -9 the writes since then are taken back: all of them, or
by chance only the last ones, for a disk may have kept some. Needs Linux and a C compiler.
"""

import argparse
import asyncio
import random
import struct
import sys
import tempfile
from pathlib import Path

from harness.crash import crash
from harness.report import judged
from harness.shim import compile_shim

__all__ = ["power", "take_back"]

_HEAD = struct.Struct("=QQQ")


def _records(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Offset, length, size before, old bytes; in the order of the writes."""
    found = []
    place = 0
    while place + _HEAD.size <= len(data):
        offset, length, size = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        kept = max(0, min(length, size - offset))
        if place + kept > len(data):
            break  # the kill came while it was written: its write did not happen
        found.append((offset, length, size, data[place : place + kept]))
        place += kept
    return found


def take_back(folder: Path, chance: random.Random) -> int:
    """Plays the power cut on the journal's files; returns how many writes were taken back."""
    count = 0
    for name in ("journal.sqlite", "journal.sqlite-wal"):
        undo = folder / f"{name}.undo"
        if not undo.exists():
            continue
        records = _records(undo.read_bytes())
        least = 0 if chance.random() < 0.5 else chance.randint(0, len(records))
        with (folder / name).open("r+b") as file:
            for offset, _, size, old in reversed(records[least:]):
                file.seek(offset)
                file.write(old)
                file.truncate(size)
                count += 1
        undo.unlink()
    (folder / "journal.sqlite-shm").unlink(missing_ok=True)  # it was in memory
    return count


async def power(
    rounds: int, *, people: int = 6, seed: int | None = None, longest: float = 1.2
) -> dict[str, object]:
    """Runs it; returns the figures. Raises NoCompiler."""
    chance = random.Random(seed)
    taken = 0

    def cut(data: Path) -> None:
        nonlocal taken
        taken += take_back(data, chance)

    with tempfile.TemporaryDirectory() as folder:
        shim = compile_shim("power", Path(folder))
        figures = await crash(
            rounds, people=people, seed=seed, longest=longest, between=cut, LD_PRELOAD=str(shim)
        )
    # Where nothing was ever taken back, it was no power cut.
    return {**figures, "taken_back": taken, "clean": figures["clean"] and taken > 0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    run = power(options.rounds, people=options.people, seed=options.seed)
    return judged("power", lambda: asyncio.run(run))


if __name__ == "__main__":
    sys.exit(main())
