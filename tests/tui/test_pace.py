"""How often the network draws, on a loop whose clock moves when it would wait."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from ipcchat.tui.pace import Pace

T = TypeVar("T")


class Skipping(selectors.DefaultSelector):
    """Waits for nothing: the time that it should wait is over at once."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """Time passes only while it waits, and by `work`."""

    def __init__(self) -> None:
        self._clock = Skipping()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def work(self, seconds: float) -> None:
        """Something takes the loop for so long."""
        self._clock.now += seconds


class Shown:
    """A pace and when it drew, in seconds since the beginning."""

    def __init__(self, *, serves: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self._start = self.loop.time()
        self.times: list[float] = []
        self.pace = Pace(lambda: None, self._draw, 30, serves=serves)

    def _draw(self) -> None:
        self.times.append(self.loop.time() - self._start)

    async def ask(self, per_second: float, seconds: float) -> list[int]:
        """Asks so often; the drawings of each whole second."""
        first = self.loop.time() - self._start
        for _ in range(round(per_second * seconds)):
            self.pace.soon()
            await asyncio.sleep(1 / per_second)
        return [
            sum(first + second <= time < first + second + 1 for time in self.times)
            for second in range(int(seconds))
        ]

    async def one(self) -> float:
        """Asks once; the seconds until it is drawn."""
        before = self.loop.time() - self._start
        self.pace.soon()
        await asyncio.sleep(0.5)
        return self.times[-1] - before


def run(test: Callable[[Shown], Awaitable[T]], *, serves: bool) -> T:
    async def main() -> T:
        return await test(Shown(serves=serves))

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main())


@pytest.mark.parametrize("per_second", [40, 50, 100, 1000])
def test_a_servers_screen_draws_five_times_a_second_while_there_is_much(per_second: int) -> None:
    async def much(shown: Shown) -> None:
        first, *later = await shown.ask(per_second, 5)
        assert first <= 13
        assert all(4 <= count <= 5 for count in later), later

    run(much, serves=True)


def test_a_clients_screen_stays_as_fast_as_it_is() -> None:
    async def much(shown: Shown) -> None:
        assert all(count >= 25 for count in await shown.ask(1000, 3))

    run(much, serves=False)


@pytest.mark.parametrize("serves", [False, True])
def test_talk_of_people_is_drawn_as_it_comes(serves: bool) -> None:
    async def talk(shown: Shown) -> None:
        assert await shown.one() == pytest.approx(1 / 30)
        assert all(count >= 10 for count in await shown.ask(12, 3))
        for _ in range(4):  # one line makes several requests
            shown.pace.soon()
            await asyncio.sleep(0.01)
        assert await shown.one() == pytest.approx(1 / 30)

    run(talk, serves=serves)


def test_after_a_flood_a_line_is_drawn_at_once_again() -> None:
    async def flood(shown: Shown) -> None:
        await shown.ask(1000, 2)
        assert await shown.one() <= 0.2 + 1 / 30
        assert await shown.one() == pytest.approx(1 / 30)

    run(flood, serves=True)


@pytest.mark.parametrize("serves", [False, True])
def test_where_the_loop_is_late_there_are_five_too(serves: bool) -> None:
    async def late(shown: Shown) -> None:
        assert isinstance(shown.loop, Loop)
        for _ in range(100):
            shown.pace.soon()
            await asyncio.sleep(0.02)
            shown.loop.work(0.06)
        gaps = [later - sooner for sooner, later in zip(shown.times, shown.times[1:], strict=False)]
        assert min(gaps[1:]) >= 0.2, gaps

    run(late, serves=serves)
