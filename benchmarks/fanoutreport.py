"""What fanout.py prints: the peers and how they are set, the tables, and the line of JSON."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TypeVar

from benchmarks.load import Figures, Handshakes
from benchmarks.peer import Peer

__all__ = ["as_json", "median", "show_cells", "show_handshakes", "show_peers"]

T = TypeVar("T", Figures, Handshakes)

_BUSY = 0.9
"""The generator counts as the bottleneck from this part of its processor on."""
_WORST = ("lost", "lacking")
"""Of these not the median is told, but the most."""


def median(several: Sequence[T]) -> T:
    """Of each figure by itself."""
    values = [asdict(figures) for figures in several]
    middle = {
        name: (max if name in _WORST else statistics.median)([value[name] for value in values])
        for name in values[0]
    }
    return type(several[0])(**middle)


def show_peers(versions: Mapping[str, str], peers: Sequence[Peer]) -> None:
    """A line each: its version, and what is lifted or set for it."""
    for peer in peers:
        print(f"  {peer.name:20} {versions[peer.name]:10} {peer.lifted or '-'}")


def _cost(it: Figures | Handshakes) -> float:
    return it.us_per_delivery if isinstance(it, Figures) else it.cpu_ms


def _ratio(it: Figures | Handshakes, base: Figures | Handshakes | None) -> float | None:
    """Of the CPU for a delivery, or for a connection."""
    return round(_cost(it) / _cost(base), 3) if base is not None and _cost(base) else None


def _shown(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _bound(it: Figures | Handshakes) -> bool:
    return it.generator > _BUSY


def show_cells(
    cells: Mapping[str, Mapping[str, Figures]], peers: Sequence[Peer], against: str
) -> None:
    """The table of the cells."""
    bases = {peer.name: peer.base for peer in peers}
    print(
        f"\n{'':22}{'us CPU':>8}{f'x {against}':>9}{'deliv/s':>13}{'msg/s':>11}{'p50 ms':>8}"
        f"{'p99 ms':>8}{'max ms':>8}{'peak MiB':>9}{'KiB idle':>9}{'gen':>6}"
    )
    for cell, turns in cells.items():
        print(cell)
        for peer, it in turns.items():
            ratio = _shown(_ratio(it, turns.get(bases[peer])))
            note = "  GENERATOR-BOUND" if _bound(it) else ""
            note += f"  {it.lost} MESSAGES LOST" if it.lost > 0 else ""
            note += f"  {it.lacking} LACK MESSAGES" if it.lacking else ""
            idle = f"{it.idle_kib:.1f}" if it.idle_kib else "-"
            print(
                f"  {peer:20}{it.us_per_delivery:8.3f}{ratio:>9}{it.deliveries_per_s:13,.0f}"
                f"{it.messages_per_s:11,.0f}{it.p50_ms:8.1f}{it.p99_ms:8.1f}{it.max_ms:8.1f}"
                f"{it.peak_mib:9.1f}{idle:>9}{it.generator:6.2f}{note}"
            )


def show_handshakes(found: Mapping[str, Handshakes], peers: Sequence[Peer]) -> None:
    """The table of connections that are made."""
    bases = {peer.name: peer.base for peer in peers}
    print(f"\n{'':22}{'conn/s':>8}{'ms CPU':>9}{'x plain':>9}{'server':>8}{'gen':>6}")
    for peer, it in found.items():
        ratio = _shown(_ratio(it, found.get(bases[peer])))
        note = "  GENERATOR-BOUND" if _bound(it) else ""
        print(
            f"  {peer:20}{it.per_s:8,.0f}{it.cpu_ms:9.3f}{ratio:>9}"
            f"{it.per_s * it.cpu_ms / 1000:8.2f}{it.generator:6.2f}{note}"
        )


def as_json(found: Mapping[str, T], peers: Sequence[Peer]) -> dict[str, dict[str, object]]:
    """Peer → its figures, the peer it is compared with, the ratio of the CPU (None where that
    peer was not measured), and whether the generator was the bottleneck."""
    bases = {peer.name: peer.base for peer in peers}
    return {
        peer: {
            **asdict(it),
            "base": bases[peer],
            "ratio": _ratio(it, found.get(bases[peer])),
            "generator_bound": _bound(it),
        }
        for peer, it in found.items()
    }
