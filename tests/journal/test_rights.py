"""Rights as the journal decides them: whoever asks, whatever the server's gate thought of it."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.journal.making import LOBBY, account, draft, one, opened, say

from ipcchat.entries import SERVER, SYSTEM_ROOM
from ipcchat.journal.drafts import OPERATORS, Draft
from ipcchat.journal.journal import Journal
from ipcchat.journal.rights import NICKS_KEPT, RESERVED
from ipcchat.journal.state import State

pytestmark = pytest.mark.asyncio
Where = Callable[[], Any]
"""Opens a journal, twice the same where it is a file."""
OPERATOR, ANN, BOB = 1, 2, 3


@pytest.fixture(params=["memory", "sqlite"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Where:
    return lambda: opened(tmp_path if request.param == "sqlite" else None)


async def people(journal: Journal) -> None:
    """An operator, ann and bob."""
    for nick, role in (("root", "operator"), ("ann", ""), ("bob", "")):
        made = account(nick)
        made.role = role
        assert not (await one(journal, made)).code
    assert journal.state.nick_keys == {"root": OPERATOR, "ann": ANN, "bob": BOB}


def rights(state: State) -> dict[str, Any]:
    """What operators decide about, copied."""
    kept = ("accounts", "nick_keys", "reserved", "credentials", "scopes", "invites", "admitted")
    return copy.deepcopy({name: getattr(state, name) for name in (*kept, "bans", "members")})


def order(kind: str, by: int = OPERATOR, **about: Any) -> Draft:
    """A draft of an operator."""
    usual = {"target": BOB, "credential": f"x{kind}", "role": "operator", "seq": 1, "until": 9999}
    if kind == "kick":
        usual["room"] = LOBBY
    if kind == "release":
        usual |= {"name": "bob-3", "key": "bob-3"}
    return draft(kind, by, **{**usual, **about})


def newcomer(nick: str, **more: Any) -> Draft:
    """Somebody who is not let in as such."""
    made = account(nick)
    made.open = False
    for name, value in more.items():
        setattr(made, name, value)
    return made


async def head(journal: Journal, room: int = SYSTEM_ROOM) -> int:
    return journal.state.rooms[room].head


# --- who may ask --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(OPERATORS))
async def test_what_operators_ask_is_forbidden_to_others(where: Where, kind: str) -> None:
    async with where() as journal:
        await people(journal)
        before, entries = rights(journal.state), await head(journal)
        for target in (ANN, BOB, OPERATOR):
            assert (await one(journal, order(kind, ANN, target=target))).code == "forbidden"
        assert rights(journal.state) == before
        assert await head(journal) == entries


async def test_a_member_makes_no_accounts(where: Where) -> None:
    async with where() as journal:
        await people(journal)
        made = account("robot")
        made.account = ANN
        assert (await one(journal, made)).code == "forbidden"
        assert "robot" not in journal.state.nick_keys


@pytest.mark.parametrize("kind", sorted(OPERATORS - {"account", "revoke", "unban"}))
async def test_of_operators_and_the_server_it_is_taken(where: Where, kind: str) -> None:
    async with where() as journal:
        await people(journal)
        for by in (OPERATOR, SERVER):
            before = await head(journal) + await head(journal, LOBBY)
            asked = order(kind, by, credential=f"x{by}", role=("member", "operator")[by])
            if kind == "role":
                asked.target = ANN
                asked.role = "operator" if by else "member"
            if kind == "release":
                asked.name = asked.key = f"bob-{by}"
            outcome = await one(journal, asked)
            assert not outcome.code, (kind, by)
            assert await head(journal) + await head(journal, LOBBY) == before + 1


async def test_who_is_unmade_may_no_more_but_hears_what_it_was_told(where: Where) -> None:
    async with where() as journal:
        await people(journal)
        assert not (await one(journal, order("role", target=ANN))).code
        banned = order("ban", ANN)
        first = await one(journal, banned)
        assert not first.code
        unmade = order("role", target=ANN, role="member")
        late = order("unban", ANN)
        outcomes = await journal.append([unmade, late, banned])
        assert [it.code for it in outcomes] == ["", "forbidden", ""]
        assert outcomes[2] == first
        assert (await one(journal, order("role", ANN, target=ANN))).code == "forbidden"


async def test_who_is_banned_says_nothing_until_it_ends(where: Where) -> None:
    async with where() as journal:
        await people(journal)
        await one(journal, order("ban", until=5000))
        asked = ("message", "topic", "join", "part", "nick")
        for kind in asked:
            told = draft(kind, BOB, room=LOBBY, text="x", name="rob", key="rob", time=4999)
            assert (await one(journal, told)).code == "banned"
        assert journal.state.banned(BOB, 4999) and not journal.state.banned(BOB, 5000)
        assert not (await one(journal, say(account=BOB, time=5000))).code
        await one(journal, order("ban", until=0))
        assert (await one(journal, say(account=BOB, time=10**15))).code == "banned"
        assert not (await one(journal, order("unban"))).code
        assert not (await one(journal, say(account=BOB))).code


@pytest.mark.parametrize("kind", ["ban", "release"])
async def test_an_operator_is_safe_from_operators(where: Where, kind: str) -> None:
    async with where() as journal:
        await people(journal)
        await one(journal, order("role", target=ANN))
        assert (await one(journal, order(kind, target=ANN))).code == "forbidden"
        assert (await one(journal, order(kind, ANN, target=OPERATOR))).code == "forbidden"
        assert not journal.state.bans and journal.state.nick_keys["ann"] == ANN


@pytest.mark.parametrize("kind", ["ban", "credential", "kick", "release", "role", "unban"])
async def test_about_nobody_nothing_is_decided(where: Where, kind: str) -> None:
    async with where() as journal:
        await people(journal)
        before = rights(journal.state)
        assert (await one(journal, order(kind, target=99))).code == "no_account"
        assert rights(journal.state) == before


# --- who may come in ----------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
async def test_an_invite_makes_so_many_accounts(where: Where, together: bool) -> None:
    async with where() as journal:
        await people(journal)
        await one(journal, order("invite", credential="x", seq=3, until=5000))
        asked = [newcomer(f"guest{number}", invite="x") for number in range(6)]
        if together:
            outcomes = await journal.append(asked)
        else:
            outcomes = [await one(journal, item) for item in asked]
        assert [it.code for it in outcomes] == [""] * 3 + ["bad_invite"] * 3
        assert journal.state.last_account == BOB + 3
        assert not journal.state.invites


async def test_a_refused_newcomer_uses_nothing_up(where: Where) -> None:
    async with where() as journal:
        await people(journal)
        await one(journal, order("invite", credential="x", seq=1, until=5000))
        taken = newcomer("ann", invite="x", credential="other")
        assert (await one(journal, taken)).code == "nick_taken"
        known = newcomer("again", invite="x", credential="secret:ann")
        assert not (await one(journal, known)).code
        assert journal.state.invites["x"].uses == 1
        assert not (await one(journal, newcomer("carl", invite="x"))).code


@pytest.mark.parametrize(
    ("time", "code"), [(4999, ""), (5000, "bad_invite"), (10**15, "bad_invite")]
)
async def test_an_invite_ends_in_time(where: Where, time: int, code: str) -> None:
    async with where() as journal:
        await people(journal)
        await one(journal, order("invite", credential="x", seq=9, until=5000))
        assert (await one(journal, newcomer("carl", invite="x", time=time))).code == code


async def test_a_revoked_invite_is_none(where: Where) -> None:
    async with where() as journal:
        await people(journal)
        await one(journal, order("invite", credential="x", seq=9))
        revoked = order("revoke", credential="x")
        assert [it.code for it in await journal.append([revoked, newcomer("c", invite="x")])] == [
            "",
            "bad_invite",
        ]
        assert (await one(journal, order("revoke", credential="x"))).code == "bad_invite"
        assert (await one(journal, newcomer("carl"))).code == "not_invited"


async def test_who_is_admitted_comes_in_once_with_that_proof_and_in_time(where: Where) -> None:
    async with where() as journal:
        await people(journal)
        await one(journal, order("admit", credential="key:c", until=5000))
        other = newcomer("carl", credential="key:d")
        late = newcomer("carl", credential="key:c", time=5000)
        assert [it.code for it in await journal.append([other, late])] == ["not_invited"] * 2
        assert not (await one(journal, newcomer("carl", credential="key:c"))).code
        assert not journal.state.admitted


@pytest.mark.parametrize(("time", "left"), [(4999, 1), (5000, 0)])
async def test_an_invite_lets_in_whose_admission_is_over(
    where: Where, time: int, left: int
) -> None:
    async with where() as journal:
        await people(journal)
        await one(journal, order("admit", credential="key:c", until=5000))
        await one(journal, order("invite", credential="x", seq=1))
        carl = newcomer("carl", credential="key:c", invite="x", time=time)
        dave = newcomer("dave", invite="x", time=time)
        outcomes = await journal.append([carl, dave])
        assert [it.code for it in outcomes] == ["", "" if left else "bad_invite"]
        assert not journal.state.admitted and not journal.state.invites


async def test_an_account_moves_to_a_key_and_its_older_proof_is_none(where: Where) -> None:
    async with where() as journal:
        await people(journal)
        moved = newcomer("whatever", credential="key:a", older="secret:ann")
        again = newcomer("carl", credential="key:b", older="secret:ann")
        outcomes = await journal.append([moved, again])
        assert [it.code for it in outcomes] == ["", "not_invited"]
        assert journal.state.credentials["key:a"] == ANN
        assert "secret:ann" not in journal.state.credentials
        assert journal.state.accounts[ANN].nick == "ann"


# --- nicks --------------------------------------------------------------------------------


@pytest.mark.parametrize(("passed", "code"), [(RESERVED - 1, "nick_taken"), (RESERVED, "")])
async def test_an_old_nick_is_kept_for_30_days(where: Where, passed: int, code: str) -> None:
    async with where() as journal:
        await people(journal)
        await one(journal, draft("nick", ANN, name="anna", key="anna", time=1000))
        wanted = draft("nick", BOB, name="Ann", key="ann", time=1000 + passed)
        fresh = account("ann", "secret:other")
        fresh.time = 1000 + passed
        assert [it.code for it in await journal.append([wanted, fresh])] == [code, "nick_taken"]
        if code:
            back = draft("nick", ANN, name="ann", key="ann", time=1000 + passed)
            assert not (await one(journal, back)).code
    assert RESERVED == 30 * 86_400_000


async def test_an_account_keeps_a_few_old_nicks(where: Where) -> None:
    async with where() as journal:
        await people(journal)
        for number in range(NICKS_KEPT + 3):
            name = f"ann{number}"
            told = draft("nick", ANN, name=name, key=name, time=1000 + number)
            assert not (await one(journal, told)).code
        assert len(journal.state.reserved) == NICKS_KEPT
        assert (
            f"ann{NICKS_KEPT + 1}" in journal.state.reserved and "ann" not in journal.state.reserved
        )


async def test_a_released_nick_is_free_at_once(where: Where) -> None:
    async with where() as journal:
        await people(journal)
        released = order("release", name="bob-3", key="bob-3")
        carl = account("bob", "secret:newer")
        assert [it.code for it in await journal.append([released, carl])] == ["", ""]
        assert journal.state.accounts[BOB].nick == "bob-3"
        await one(journal, draft("nick", ANN, name="anna", key="anna"))
        freed = order("release", target=0, name="", key="ann")
        assert [it.code for it in await journal.append([freed, account("ann", "secret:x")])] == [
            "",
            "",
        ]
        assert (await one(journal, order("release", target=0, key="nobody"))).code == "no_account"


# --- for ever -----------------------------------------------------------------------------


async def test_rights_are_there_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await people(journal)
        asked = [
            order("role", target=ANN),
            order("ban", until=7000),
            order("ban", target=BOB, until=0),
            order("invite", credential="a" * 64, seq=3, until=9000),
            order("invite", credential="b" * 64, seq=1, until=9000),
            order("revoke", credential="b" * 64),
            order("admit", credential="key:c", until=8000),
            order("credential", target=BOB, credential="token:t", scope="1"),
            order("kick", text="bob: enough"),
            draft("nick", ANN, name="anna", key="anna"),
            newcomer("carl", invite="a" * 64),
        ]
        assert not any(it.code for it in await journal.append(asked))
        before = rights(journal.state)
    assert before["bans"] == {BOB: 0} and before["scopes"] == {"token:t": "1"}
    assert before["invites"]["a" * 64].uses == 2 and set(before["reserved"]) == {"ann"}
    async with opened(tmp_path) as journal:
        after = rights(journal.state)
        for kept in (before, after):
            kept["members"] = {room: who for room, who in kept["members"].items() if who}
        assert after == before
