"""Direct messages by command: to one person, from wherever one is; nothing goes astray."""

import pytest
from tests.actions.face import ListFace, acquainted, facing, together
from tests.actions.test_composing import Input, said, typing
from tests.client.peer import until
from tests.client.test_session import lobby
from tests.support import serve

from ipcchat.actions.composing import Composing
from ipcchat.errors import IpcchatError

pytestmark = pytest.mark.asyncio


def everything(face: ListFace) -> list[str]:
    """Every message of every room there is."""
    return [text for room in face.model.rooms.values() for text in said(face, room.name)]


async def test_a_message_goes_to_one_alone_and_is_told_where_one_is() -> None:
    async with together("ann", "bob", "eve") as (ann, bob, eve):
        assert await ann.type("/msg @BOB  are you\nthere?") == ["to bob: are you there?"]
        assert ann.model.rooms[ann.model.current].name == "#lobby"
        assert said(ann, "@bob") == ["are you\nthere?"]
        await until(lambda: said(bob, "@ann") == ["are you\nthere?"])
        assert await bob.type("/reply yes, here") == ["to ann: yes, here"]
        await until(lambda: said(ann, "@bob") == ["are you\nthere?", "yes, here"])
        # there, the line itself is enough
        await ann.type("/query bob")
        assert ann.model.rooms[ann.model.current].name == "@bob"
        assert await ann.type("/msg bob good") == []
        assert await ann.type("/reply bye") == []
        await until(lambda: said(bob, "@ann")[-2:] == ["good", "bye"])
        assert list(eve.model.rooms) == [1]
        assert everything(eve) == []
        for room in ("#lobby",):
            assert said(ann, room) == said(bob, room) == []


async def test_the_last_one_who_wrote_gets_the_reply() -> None:
    async with together("ann", "bob", "eve") as (ann, bob, eve):
        assert await ann.type("/reply hello?") == [
            "! no direct message has come yet – /msg NICK text"
        ]
        await bob.type("/msg ann one")
        await until(lambda: said(ann, "@bob") == ["one"])
        await eve.type("/msg ann two")
        await until(lambda: said(ann, "@eve") == ["two"])
        await ann.type("/msg bob mine is no message that came")
        assert await ann.type("/reply to eve") == ["to eve: to eve"]
        await bob.session.change_nick("robert")
        await until(lambda: ann.model.room_by_name("@robert") is not None)
        await bob.type("/msg ann three")
        await until(lambda: said(ann, "@robert")[-1] == "three")
        assert await ann.type("/reply to bob") == ["to robert: to bob"]
        await until(lambda: said(bob, "@ann")[-1] == "to bob")
        assert said(eve, "@ann") == ["two", "to eve"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/msg bbo my secret", "! nobody has that nick: bbo – did you mean bob?"),
        ("/msg B my secret", "! nobody has that nick: B – did you mean bob?"),
        ("/msg zzz my secret", "! nobody has that nick: zzz – /names lists who is in this room"),
        ("/msg ANN my secret", "! that is you – /msg NICK text is for somebody else"),
        ("/msg #lobby my secret", "! #lobby is a room, and no person – /join #lobby"),
        ("/msg bob", "! /msg needs TEXT – usage: /msg NICK TEXT"),
        ("/msg a/b my secret", "! a nick has none of"),
        ("/mgs bob my secret", "! unknown command /mgs – did you mean /msg?"),
        ("/reply my secret", "! no direct message has come yet – /msg NICK text"),
        ("/query bbo", "! nobody has that nick: bbo – did you mean bob?"),
        ("/query ann", "! that is you – /query NICK is for somebody else"),
    ],
)
async def test_what_can_not_be_sent_is_the_users_again(line: str, told: str) -> None:
    async with together("ann", "bob") as (ann, bob):
        keys, draft = typing(ann)
        keys.submit(line)
        await until(lambda: any(shown.startswith("! ") for shown in ann.lines))
        assert ann.lines[0].startswith(told)
        given_back = line.startswith(("/msg", "/reply"))
        await until(lambda: draft.text == (line if given_back else ""))
        keys.submit("and this is for all")
        await until(lambda: said(bob, "#lobby") == ["and this is for all"])
        assert everything(ann) == everything(bob) == ["and this is for all"]


async def test_what_can_not_be_sent_now_waits_and_its_end_is_told() -> None:
    async with serve() as server:
        async with (
            facing(server.addresses[0], "ann", outbox_expiry=0.3, connect_timeout=0.2) as ann,
            facing(server.addresses[0], "bob") as bob,
        ):
            await acquainted(ann, bob)
            await ann.type("/msg bob first")
            await server.close()
            await until(lambda: ann.model.state != "online")
            assert await ann.type("/msg bob second") == [
                "to bob, waiting to be sent: second",
                f"! not sent to bob: {reason(ann, '@bob')} – /query bob, then /retry or /discard",
            ]
            # it is in its place, and is not given back besides
            room = ann.model.room_by_name("@bob")
            assert room is not None
            assert [item.text for item in room.pending] == ["second"]
            keys, draft = typing(ann)
            keys.submit("/msg carl third")  # nobody knows whether there is a carl
            await until(lambda: draft.text == "/msg carl third")
            assert ann.lines[-1].startswith("! not connected")


def reason(face: ListFace, name: str) -> str:
    room = face.model.room_by_name(name)
    assert room is not None
    return room.pending[0].reason if room.pending else "no answer yet"


async def test_what_follows_a_query_is_said_there_or_nowhere() -> None:
    async with together("ann", "bob") as (ann, bob):
        keys, draft = typing(ann)
        for line in ("/query bob", "only for bob", "/join @bob", "and this"):
            keys.submit(line)
        await until(lambda: said(bob, "@ann") == ["only for bob", "and this"])
        for line in ("/query bbo", "only for bbo"):
            keys.submit(line)
        await until(lambda: draft.text == "only for bbo")
        assert "only for bbo" not in everything(bob)


async def test_a_hidden_talk_comes_back_with_the_next_message() -> None:
    async with together("ann", "bob") as (ann, bob):
        await ann.type("/msg bob hi")
        assert await ann.type("/part @bob") == [
            "@bob is hidden until one of you says something – /query bob shows it"
        ]
        assert ann.model.room_by_name("@bob") is None
        assert (await ann.type("/part @bob"))[0] == "! you are not in @bob – /query bob"
        await until(lambda: said(bob, "@ann") == ["hi"])
        await bob.type("/reply there?")
        await until(lambda: said(ann, "@bob") == ["hi", "there?"])
        await ann.type("/part @bob")
        await ann.type("/query bob")
        await until(lambda: said(ann, "@bob") == ["hi", "there?"])


async def test_names_and_wrong_commands_in_a_room_for_two() -> None:
    async with together("ann", "bob") as (ann, _bob):
        await ann.type("/join @bob")
        room = ann.model.rooms[ann.model.current]
        await until(lambda: len(room.members) == 2)
        assert await ann.type("/names") == ["@bob: ann, bob"]
        assert await ann.type("/invite eve") == [
            "! @bob is for you two alone – /join --private ROOM is for more"
        ]
        assert await ann.type("/join --private @bob") == [
            "! @bob is for you two alone as it is – /join @bob"
        ]
        assert await ann.type("/join @ann") == ["! that is you – /join @NICK is for somebody else"]
        assert [line.split() for line in await ann.type("/rooms")] == [
            ["1", "#lobby"],
            ["2", "@bob"],
        ]
        assert not any("@bob" in line for line in await ann.type("/list"))


async def test_the_line_of_a_command_is_given_back_only_where_nothing_else_is_typed() -> None:
    async with serve() as server, facing(server.addresses[0], "ann") as ann:
        draft = Input()
        keys = Composing(ann, {"me": refuse}, draft, draft.enter)
        draft.text = "something new"
        keys.submit("/me waves")
        await until(lambda: ann.lines == ["! no"])
        assert draft.text == "something new"
        assert everything(ann) == []
        assert lobby(ann.session).pending == []


async def refuse(face: object, call: object) -> None:
    raise IpcchatError("no")
