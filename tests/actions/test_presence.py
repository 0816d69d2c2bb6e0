"""Who somebody is, and whether there; away and back."""

import re

import pytest
from tests.actions.face import together
from tests.client.peer import until

from ipcchat.actions.presence import known, unknown

pytestmark = pytest.mark.asyncio


async def test_whois_tells_who_is_where_and_for_how_long() -> None:
    async with together("ann", "bob") as (ann, bob):
        online, rooms = await ann.type("/whois @BOB")
        assert re.fullmatch(r"bob is online since \d\d:\d\d", online)
        assert rooms == "in #lobby"
        assert await bob.type("/away out to  lunch") == [
            "you are away: out to  lunch – /back ends it"
        ]
        (away, _) = await ann.type("/whois bob")
        assert re.fullmatch(r"bob is away since \d\d:\d\d: out to\s+lunch", away)
        assert (await ann.type("/whois operator"))[:2] == [
            "operator is offline",
            "operator is an operator",
        ]
        assert await bob.type("/back") == ["you are back"]
        assert (await ann.type("/whois bob"))[0].startswith("bob is online since")
        await bob.type("/join --private #plans")
        assert (await ann.type("/whois bob"))[1] == "in #lobby"
        await bob.type("/part #lobby")
        assert (await ann.type("/whois bob"))[1] == "in no room that you see"
        assert await ann.type("/whois bbo") == ["! nobody has that nick: bbo – did you mean bob?"]


async def test_away_is_told_and_ends() -> None:
    async with together("ann", "bob") as (ann, bob):
        assert await bob.type("/away") == ["you are away – /back ends it"]
        await until(lambda: bob.model.away is not None)
        assert await ann.type("/names") == ["#lobby: ann, bob (away)"]
        await bob.type("/back")
        await until(lambda: bob.model.away is None)
        assert await ann.type("/names") == ["#lobby: ann, bob"]
        assert await bob.type(f"/away {'x' * 300}") == [
            "! why you are away has at most 200 characters"
        ]
        assert bob.model.away is None


async def test_nicks_that_are_known_and_like_another() -> None:
    async with together("ann", "bob", "Zoë") as (ann, bob, _zoe):
        assert known(ann.model)[-1] == "ann"
        assert set(known(ann.model)) == {"ann", "bob", "Zoë"}
        bob.session.submit(1, "here")
        await until(lambda: known(ann.model)[0] == "bob")
        await ann.type("/join #den")
        assert known(ann.model) == ["bob", "Zoë", "ann"]  # none of them is here
        for nick, hint in [
            ("zoë", "did you mean Zoë?"),
            ("b", "did you mean bob?"),
            ("annn", "/names lists who is in this room"),
        ]:
            assert unknown(ann.model, nick).hint == hint
