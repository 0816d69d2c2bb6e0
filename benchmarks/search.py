"""Search at the server: what the index costs, and how soon things are found.

    python -m benchmarks.search [--messages 1000000] [--rooms 100] [--seconds 40] [--folder DIR]

Makes a journal of so many messages (words by Zipf's law out of 100,000; some accented, some
Japanese), indexes it, and searches it: a page of 100 results each, in one room and in all. Then
5,000 messages per second are appended to it, while the same searches go on: how long each was not
indexed yet. Last, a journal with an index and one without take turns at appending as fast as they
can. `--seconds` is for all but making and indexing. Ends with one JSON line.
"""

import argparse
import asyncio
import itertools
import json
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from tests.support import RawClient, serve_process

from benchmarks.machine import describe
from ipcchat.journal import open_journal
from ipcchat.journal.drafts import Draft
from ipcchat.journal.journal import Journal
from ipcchat.journal.schema import NAME as JOURNAL
from ipcchat.journal.schema import connect, pack
from ipcchat.search.index import Index
from ipcchat.search.query import Query
from ipcchat.search.schema import NAME
from ipcchat.wire.messages import Join, Rooms, Search

__all__ = ["main"]

RATE = 5000
ACCOUNTS = 200
VOCABULARY = 100_000
WINDOW = 256
"""Messages that are in flight in the closed loop."""
PAIRS = 9
LOGIN = "login, unread counts of all rooms"
LIMITS_MS = {
    "common word, one room": 20.0,
    "common word, all rooms": 200.0,
    "lag": 1000.0,
    LOGIN: 50.0,
}
SLOWEST_RATIO = 0.9


class Talk:
    """What people say: the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        ends = ("", "n", "r", "s", "t", "l")
        syllables = [a + b + c for a in "bcdfghjklmnprstvwz" for b in "aeiou" for c in ends]
        words: dict[str, None] = {}
        while len(words) < VOCABULARY:
            most = 1 + min(3, len(words) // 400)
            words["".join(self.chance.choices(syllables, k=self.chance.randint(1, most)))] = None
        self.words = list(words)
        self._weights = list(itertools.accumulate(1 / n for n in range(1, VOCABULARY + 1)))

    def text(self) -> str:
        count = 1 + min(60, int(self.chance.expovariate(0.1)))
        text = " ".join(self.chance.choices(self.words, cum_weights=self._weights, k=count))
        kind = self.chance.random()
        if kind < 0.02:
            return f"{text} 東京都に行きました"
        return f"{text} café" if kind < 0.1 else text


# --- making the journal -------------------------------------------------------------------


async def prepare(folder: Path, rooms: int) -> None:
    """An empty journal with its rooms and accounts."""
    journal = await open_journal(folder)
    async with asyncio.TaskGroup() as group:
        group.create_task(drain(journal))
        drafts = [
            Draft(0, secrets.token_hex(16), "account", 1, name=n, key=n, credential=n, open=True)
            for n in (f"nick{number}" for number in range(ACCOUNTS))
        ]
        drafts += [
            Draft(1, secrets.token_hex(16), "join", 1, name=name, key=name)
            for name in (f"#room{number}" for number in range(1, rooms))
        ]
        await journal.append(drafts)
        await journal.close()


def fill(folder: Path, messages: int, talk: Talk) -> None:
    """Puts messages into the rooms, a second apart."""
    with closing(connect(folder / JOURNAL)) as db:
        heads = dict(db.execute("SELECT number, head FROM rooms WHERE number != 0"))
        numbers, rows = list(heads), []
        begin = time.time_ns() // 1_000_000 - messages * 1000
        for number in range(messages):
            room = talk.chance.choice(numbers)
            by = talk.chance.randint(1, ACCOUNTS)
            heads[room] += 1
            key, at = pack(room, heads[room]), begin + number * 1000
            rows.append((key, at, by, f"nick{by}", talk.chance.randbytes(16), talk.text()))
        rows.sort()
        db.execute("BEGIN")
        db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, 'message', ?, ?, '', 0, '')", rows)
        db.executemany(
            "UPDATE rooms SET head = ? WHERE number = ?", [(h, r) for r, h in heads.items()]
        )
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def drain(journal: Journal, index: Index | None = None) -> None:
    async for entries in journal.feed():
        if index is not None:
            index.note(entries)


@asynccontextmanager
async def running(
    folder: Path, *, indexed: bool = True
) -> AsyncIterator[tuple[Journal, Index | None]]:
    """A journal with its index, which is up to date."""
    journal = await open_journal(folder)
    index = Index(folder, journal.epoch, print) if indexed else None
    async with asyncio.TaskGroup() as group:
        group.create_task(drain(journal, index))
        if index is not None:
            index.catch_up({number: room.head for number, room in journal.state.rooms.items()})
            await caught_up(index)
        yield journal, index
        if index is not None:
            await index.close()
        await journal.close()


async def caught_up(index: Index) -> None:
    while await asyncio.sleep(0.005, index.lag):
        pass


# --- measuring ----------------------------------------------------------------------------


def cases(talk: Talk) -> dict[str, list[str]]:
    """Kind of query → queries of that kind."""
    words = talk.words
    return {
        "common word": words[:20],
        "less common word": words[300:320],
        "rare word": words[50_000:50_020],
        "two words": [f"{words[n]} {words[n + 100]}" for n in range(20)],
        "phrase": [f'"{words[n]} {words[n + 1]}"' for n in range(20)],
        "part of a word": [word[1:5] for word in words[5000:5020]],
        "beginning of 2 letters": [word[:2] for word in words[:20]],
        "CJK, 2 characters": ["東京", "京都", "行き"],
        "CJK, phrase": ["東京都に", "行きました"],
        "accent folded": ["cafe", "CAFÉ"],
    }


def summary(times: list[float]) -> dict[str, float]:
    """Of seconds, in milliseconds."""
    ordered = sorted(times)
    return {
        "count": len(ordered),
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 2),
    }


async def searches(
    index: Index, ranges: list[tuple[int, int, int]], talk: Talk, seconds: float
) -> dict[str, dict[str, float]]:
    """Every kind of query in one room and in all, in turn."""
    found: dict[str, list[float]] = {}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for kind, queries in cases(talk).items():
            for where in ("one room", "all rooms"):
                spans = [talk.chance.choice(ranges)] if where == "one room" else ranges
                begun = time.perf_counter()
                page = await index.search(Query(talk.chance.choice(queries)), spans, deadline=10)
                found.setdefault(f"{kind}, {where}", []).append(time.perf_counter() - begun)
                assert not page.cut
    return {kind: summary(times) for kind, times in found.items()}


async def lag(
    journal: Journal, index: Index, talk: Talk, rooms: int, seconds: float
) -> dict[str, float]:
    """How long messages are not indexed yet, at RATE; per message."""
    waiting: deque[tuple[int, float]] = deque()
    times: list[float] = []
    said = indexed = 0
    start = time.perf_counter()
    while (now := time.perf_counter()) < start + seconds or waiting:
        due = int(min(now - start, seconds) * RATE) - said
        if due > 0:
            await journal.append(drafts(talk, rooms, due))
            said += due
            waiting.append((said, time.perf_counter()))
        await asyncio.sleep(0.002)
        done, now = said - index.lag, time.perf_counter()
        while waiting and waiting[0][0] <= done:
            upto, at = waiting.popleft()
            times += [now - at] * (upto - indexed)
            indexed = upto
        if now > start + seconds + 30:
            raise SystemExit("the index does not catch up")
    return {**summary(times), "appended_per_s": round(said / seconds)}


def drafts(talk: Talk, rooms: int, count: int) -> list[Draft]:
    now = time.time_ns() // 1_000_000
    choice, text = talk.chance.randint, talk.text
    return [
        Draft(1, secrets.token_hex(16), "message", now, room=choice(1, rooms), text=text())
        for _ in range(count)
    ]


async def append(journal: Journal, batches: list[list[Draft]], seconds: float) -> float:
    """Messages per second as fast as it can."""
    start, count = time.perf_counter(), 0
    ahead = None
    while batches and time.perf_counter() < start + seconds:
        told = journal.append(batches[-1])
        count += len(batches.pop())
        if ahead is not None:
            await ahead
        ahead = told
    if ahead is not None:
        await ahead
    return count / (time.perf_counter() - start)


async def ratio(folder: Path, rooms: int, talk: Talk, seconds: float) -> dict[str, float]:
    """The append rate with an index to that without, in turns."""
    for name in ("with", "without"):
        (folder / name).mkdir()
        await prepare(folder / name, rooms)
    rates: dict[str, list[float]] = {"with": [], "without": []}
    each = seconds / PAIRS / 4
    async with running(folder / "with") as (journal, index):
        async with running(folder / "without", indexed=False) as (bare, _):
            for pair in range(PAIRS):
                for name in ("with", "without") if pair % 2 else ("without", "with"):
                    ready = [drafts(talk, rooms, WINDOW) for _ in range(int(each * 250))]
                    target = journal if name == "with" else bare
                    rates[name].append(await append(target, ready, each))
                    if index is not None:
                        await caught_up(index)
    pairs = [a / b for a, b in zip(rates["with"], rates["without"], strict=True)]
    return {
        "with_per_s": round(statistics.median(rates["with"])),
        "without_per_s": round(statistics.median(rates["without"])),
        "ratio": round(statistics.median(pairs), 3),
    }


# --- at the client ------------------------------------------------------------------------


async def through_server(
    folder: Path, rooms: int, talk: Talk, seconds: float
) -> dict[str, dict[str, float]]:
    """The same at a client of a server in a process of its own, from the request until the reply is
    decoded; and a login with the unread counts of all rooms, from the connection's beginning."""
    secret = secrets.token_hex(16)
    flags = ("--plaintext", "--data", str(folder))
    with serve_process(folder.parent / "home", *flags) as server:
        async with RawClient.login(server.address, "ann", secret) as ann:
            for room in range(1, rooms + 1):
                await ann.ask(Join(ann.next_id(), secrets.token_hex(16), room=room))
            found = await _asked(ann, rooms, talk, seconds / 2)
        times: list[float] = []
        end = time.perf_counter() + seconds / 2
        while time.perf_counter() < end:
            begun = time.perf_counter()
            async with RawClient.login(server.address, "ann", secret, quiet=True) as ann:
                listed, after = [], 0
                while page := await ann.ask(Rooms(ann.next_id(), after)):
                    listed += page.items
                    after = page.next
                    if not after:
                        break
                times.append(time.perf_counter() - begun)
            assert sum(item.unread > 0 for item in listed) >= rooms
    return {**found, LOGIN: summary(times)}


async def _asked(
    ann: RawClient, rooms: int, talk: Talk, seconds: float
) -> dict[str, dict[str, float]]:
    times: dict[str, list[float]] = {}
    while (await ann.ask(Search(ann.next_id(), "x"))).cut:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.1)
    queries = {kind: itertools.cycle(texts) for kind, texts in cases(talk).items()}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for kind, texts in queries.items():
            for where in ("one room", "all rooms"):
                name = f"{kind}, {where}"
                for _ in range(10 if name in LIMITS_MS else 1):
                    room = talk.chance.randint(1, rooms) if where == "one room" else 0
                    request = Search(ann.next_id(), next(texts), room=room, limit=100)
                    begun = time.perf_counter()
                    page = await ann.ask(request)
                    times.setdefault(name, []).append(time.perf_counter() - begun)
                    assert not page.cut
    return {kind: summary(several) for kind, several in times.items()}


async def measure(folder: Path, messages: int, rooms: int, seconds: float) -> dict[str, object]:
    talk = Talk(1)
    data = folder / "data"
    data.mkdir()
    begun = time.perf_counter()
    await prepare(data, rooms)
    fill(data, messages, talk)
    print(f"made     {time.perf_counter() - begun:.1f} s")
    begun = time.perf_counter()
    async with running(data) as (journal, index):
        assert index is not None
        spent = time.perf_counter() - begun
        ranges = [(number, 1, room.head) for number, room in journal.state.rooms.items() if number]
        quiet = await searches(index, ranges, talk, seconds / 4)
    sizes = {name: (data / name).stat().st_size / messages for name in (NAME, JOURNAL)}
    print(
        f"indexed  {spent:.1f} s, {messages / spent:,.0f} messages/s, {sizes[NAME]:.0f} bytes a"
        f" message beside the journal's {sizes[JOURNAL]:.0f}\n"
    )
    async with running(data) as (journal, index):
        assert index is not None
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(searches(index, ranges, talk, seconds / 4))
            late = await lag(journal, index, talk, rooms, seconds / 4)
        busy = looking.result()
    client = await through_server(data, rooms, talk, seconds / 4)
    appended = await ratio(folder, rooms, talk, seconds / 2)
    return {
        "messages": messages,
        "rooms": rooms,
        "indexed_per_s": round(messages / spent),
        "bytes_per_message": round(sizes[NAME], 1),
        "searches": quiet,
        "searches_beside_appends": busy,
        "client": client,
        "lag": late,
        "append": appended,
    }


def report(figures: dict[str, object]) -> bool:
    """Prints the table; whether every bound is kept."""
    kept = True
    tables = (("searches", ""), ("searches_beside_appends", f"beside {RATE:,} messages/s"))
    for name, where in (*tables, ("client", "at the client")):
        rows = figures[name]
        assert isinstance(rows, dict)
        if not rows:
            continue
        print(f"{where:34}  {'count':>6}  {'p50 ms':>8}  {'p99 ms':>8}")
        for kind, row in rows.items():
            bound = LIMITS_MS.get(kind)
            over = bound is not None and row["p99_ms"] > bound
            kept = kept and not over
            note = f"  bound {bound:g}{': MISSED' if over else ''}" if bound else ""
            print(f"{kind:34}  {row['count']:6}  {row['p50_ms']:8.2f}  {row['p99_ms']:8.2f}{note}")
        print()
    late, appended = figures["lag"], figures["append"]
    assert isinstance(late, dict)
    assert isinstance(appended, dict)
    print(
        f"lag at {late['appended_per_s']:,} messages/s: p50 {late['p50_ms']:.0f} ms,"
        f" p99 {late['p99_ms']:.0f} ms (bound {LIMITS_MS['lag']:g})"
    )
    print(
        f"appended with the index {appended['with_per_s']:,}/s, without"
        f" {appended['without_per_s']:,}/s: {appended['ratio']:.2f} (bound {SLOWEST_RATIO})"
    )
    return kept and late["p99_ms"] <= LIMITS_MS["lag"] and appended["ratio"] >= SLOWEST_RATIO


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rooms", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=40.0, help="time of all measurements")
    parser.add_argument("--folder", type=Path, help="where the files are made, on the disk meant")
    options = parser.parse_args()
    machine = describe()
    for name, value in machine.items():
        print(f"{name:8} {value}")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        work = measure(Path(folder), options.messages, options.rooms, options.seconds)
        figures = asyncio.run(work)
    kept = report(figures)
    print(json.dumps({"benchmark": "search", "kept": kept, **figures, "machine": machine}))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
