"""What the screen's figures say: the table, the ratios, and the targets beside them."""

from dataclasses import asdict, dataclass

from benchmarks.screencell import Cell, middle, p99

__all__ = ["Target", "ratios", "show", "targets"]

LARGE = "200x50"
"""The size that targets are about where none is named."""


@dataclass(frozen=True)
class Target:
    """A figure and what it should be."""

    name: str
    sign: str
    """`≤` or `≥`."""
    limit: float
    unit: str
    measured: float

    @property
    def ok(self) -> bool:
        return self.measured <= self.limit if self.sign == "≤" else self.measured >= self.limit

    def figures(self) -> dict[str, object]:
        return {**asdict(self), "ok": self.ok}


def _ours(cells: list[Cell], at: str) -> list[Cell]:
    """Those of a size that were measured, the fewest lines first."""
    found = (cell for cell in cells if cell.at == at and cell.name == "ipcchat" and cell.keys)
    return sorted(found, key=lambda cell: cell.lines)


def ratios(cells: list[Cell], begun: dict[str, float]) -> dict[str, float]:
    """Most lines ÷ fewest for each size; page-up ÷ WeeChat's; the start ÷ a bare one's."""
    made = {}
    for at in dict.fromkeys(cell.at for cell in cells):
        ours = _ours(cells, at)
        most, least = ours[-1], ours[0]
        made[f"key_{at}"] = middle(most.keys) / middle(least.keys)
        made[f"key_cpu_{at}"] = middle(most.key_cpu) / middle(least.key_cpu)
        made[f"page_up_{at}"] = middle(most.pages) / middle(least.pages)
        deep = [cell for cell in ours if cell.deep_pages]
        if len(deep) > 1:
            few, many = deep[0].deep_pages, deep[-1].deep_pages
            made[f"page_up_packed_{at}"] = middle(many) / middle(few)
            made[f"page_up_packed_p99_{at}"] = p99(many) / p99(few)
        for peer in (cell for cell in cells if cell.at == at and cell.name != "ipcchat"):
            made[f"page_up_to_{peer.name}_{at}"] = middle(least.pages) / middle(peer.pages)
            made[f"key_to_{peer.name}_{at}"] = middle(least.keys) / middle(peer.keys)
    if begun:
        made["first_key_to_bare"] = begun["first_key_to_bare"]
    return {name: round(value, 3) for name, value in made.items()}


def targets(
    cells: list[Cell], floods: dict[str, dict[str, float]], begun: dict[str, float]
) -> list[Target]:
    """Each target that something was measured for; of several clients the worst counts."""
    made = []
    for at in dict.fromkeys(cell.at for cell in cells):
        ours = _ours(cells, at)
        if len(ours) > 1:
            least, most = ours[0], ours[-1]
            name = f"key, {most.lines:,} ÷ {least.lines:,} lines, {at}"
            measured = middle(most.keys) / middle(least.keys)
            made.append(Target(name, "≤", 1.1, "", round(measured, 3)))
    large = _ours(cells, LARGE)
    if large:
        keys, pages = [cell.keys for cell in large], [cell.pages for cell in large]
        made.append(Target(f"key, {LARGE}", "≤", 3, "ms", max(map(middle, keys))))
        made.append(Target(f"key p99, {LARGE}", "≤", 8, "ms", max(map(p99, keys))))
        made.append(Target(f"page-up, {LARGE}", "≤", 10, "ms", max(map(middle, pages))))
        deep = [cell.deep_pages for cell in large if cell.deep_pages]
        if deep:
            worst = max(map(middle, deep))
            made.append(Target(f"page-up in packed history, {LARGE}", "≤", 10, "ms", worst))
    for at, one in floods.items():
        made.append(Target(f"flood, {at}", "≥", 24_000, "/s", one["messages_per_s"]))
        made.append(Target(f"key p99 in a flood, {at}", "≤", 16, "ms", one["key_p99_ms"]))
    million = [cell.memory for cell in cells if cell.lines == 1_000_000 and cell.memory]
    if million:
        made.append(Target("memory, 1,000,000 lines", "≤", 350, "MB", round(max(million), 1)))
    if begun:
        made.append(Target("first key ÷ bare", "≤", 1.2, "", begun["first_key_to_bare"]))
    return made


def show(
    cells: list[Cell],
    floods: dict[str, dict[str, float]],
    begun: dict[str, float],
    wanted: list[Target],
) -> None:
    """The table, then the targets."""
    if cells:
        print(
            "\nprogram  size         lines  key ms  p99     CPU  page-up ms  p99     CPU"
            "  packed ms    p99     CPU     MB"
        )
    for row in (cell.figures() for cell in cells):
        packed = ("page_up_packed_ms", "page_up_packed_p99_ms", "page_up_packed_cpu_ms")
        one, two, three = (f"{row[name]:.2f}" if name in row else "–" for name in packed)
        print(
            f"{row['program']:8} {row['size']:7} {row['lines']:10,} {row['key_ms']:7.2f}"
            f" {row['key_p99_ms']:5.2f} {row['key_cpu_ms']:6.2f} {row['page_up_ms']:10.2f}"
            f" {row['page_up_p99_ms']:6.2f} {row['page_up_cpu_ms']:6.2f}"
            f" {one:>10} {two:>6} {three:>6} {row['memory_mb']:6.0f}"
        )
    for at, flood in floods.items():
        print(
            f"flood    {at:7} {flood['messages_per_s']:10,} messages/s, a key meanwhile "
            f"{flood['key_p50_ms']:.1f} ms, p99 {flood['key_p99_ms']:.1f} ms"
        )
    if begun:
        print(
            "start    first key {first_key_ms} ms, bare {bare_first_key_ms} ms, the room "
            "{room_shown_ms} ms\n"
            "start    first key ÷ bare {first_key_to_bare}, quartiles {first_key_to_bare_q1} and "
            "{first_key_to_bare_q3}, of {pairs} pairs".format(**begun)
        )
    print()
    for target in wanted:
        print(
            f"target   {target.name:42} {target.sign} {target.limit:>7,} {target.unit:3}"
            f"  measured {target.measured:>10,} {target.unit:3}  {'ok' if target.ok else 'missed'}"
        )
