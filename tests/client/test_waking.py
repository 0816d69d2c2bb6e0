"""A machine that wakes connects at once; one that is merely busy does not."""

import asyncio

import pytest
from tests.client.peer import scripted
from tests.client.test_lifeline import kept

from ipcchat.client import lifeline as waking
from ipcchat.client.lifeline import Waking, boot_time


class Clock:
    """A machine's clock, for the test to turn."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.asyncio
async def test_only_a_long_pause_counts_as_sleep() -> None:
    clock, woke = Clock(), asyncio.Event()
    watch = Waking(woke.set, clock)
    watch.start()
    for pause in (waking.LOOK, waking.LOOK + waking.ASLEEP):
        clock.now += pause
        watch.look()
        assert not woke.is_set()
    clock.now += waking.LOOK + waking.ASLEEP + 0.1
    watch.look()
    assert woke.is_set()
    woke.clear()
    watch.look()
    assert not woke.is_set()
    watch.stop()


@pytest.mark.asyncio
async def test_after_sleep_a_new_connection_is_made_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waking, "LOOK", 0.01)
    clock = Clock()
    async with scripted() as peer, kept(peer.address, clock=clock) as (lifeline, owner, _):
        line = await peer.accept()
        await line.login()
        first = await owner.ups.get()
        clock.now += 3600
        await line.ended()
        line = await peer.accept()
        await line.login()
        async with asyncio.timeout(10):
            assert await owner.ups.get() is not first
        assert lifeline.link is not first


def test_the_clock_goes_on() -> None:
    assert boot_time() <= boot_time()
