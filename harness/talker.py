"""One who talks in the lobby at a steady rate, whatever becomes of it.

    python -m harness.talker ADDRESS [--rate 200] [--seconds 10] [--bytes 1000]

Each text begins with the time at which it was said, for `harness.readers`. Waits for every
outcome, then prints one JSON line: how many were acknowledged, and the last seq.
"""

import argparse
import json
import os
import secrets
import select
import sys
import time

from harness.readers import LOBBY, STAMP, Raw

__all__ = ["main"]


def run(address: str, rate: float, seconds: float, size: int) -> dict[str, object]:
    """Talks; the figures."""
    raw = Raw(address, f"t{os.getpid()}")
    filling = "x" * (size - STAMP)
    seqs: list[int] = []
    total = int(rate * seconds)
    start = time.monotonic()
    said = 0
    behind = 0.0
    while len(seqs) < total:
        now = time.monotonic()
        due = start + said / rate
        if said < total and now >= due:
            said += 1
            behind = max(behind, now - due)
            text = f"{time.monotonic_ns():0{STAMP}d}{filling}"
            draft = secrets.token_hex(16)
            raw.send({"type": "say", "id": 2 + said, "room": LOBBY, "draft": draft, "text": text})
            continue
        wait = max(0.0, due - now) if said < total else 60.0
        if not select.select([raw.sock], [], [], wait)[0]:
            if said == total:
                raise SystemExit("no outcome for a minute")
            continue
        data, found = raw.frames()
        for begin, end in found:
            reply = json.loads(data[begin:end])
            if reply["type"] == "error":
                raise SystemExit(f"refused: {reply}")
            if reply["type"] == "ok":
                seqs.append(reply["seq"])
    return {"acked": len(set(seqs)), "last": max(seqs), "behind_ms": round(behind * 1000, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("address")
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--bytes", type=int, default=1000)
    options = parser.parse_args()
    figures = run(options.address, options.rate, options.seconds, options.bytes)
    print(json.dumps(figures), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
