"""What is typed after a command that leads elsewhere is said there, or is the user's again."""

import pytest
from tests.actions.face import ListFace, facing
from tests.client.peer import until
from tests.support import serve

from ipcchat.actions.composing import Composing
from ipcchat.actions.question import Question
from ipcchat.actions.table import ACTIONS
from ipcchat.entries import Entry

pytestmark = pytest.mark.asyncio


class Input:
    """What is in the input."""

    def __init__(self) -> None:
        self.text = ""
        self.sent = 0

    def insert(self, text: str) -> None:
        self.text += text

    def restore(self, text: str) -> None:
        self.text = self.text or text

    def enter(self) -> None:
        self.sent += 1


def typing(face: ListFace) -> tuple[Composing, Input]:
    draft = Input()
    return Composing(face, ACTIONS, draft, draft.enter), draft


def said(face: ListFace, name: str) -> list[str]:
    room = face.model.room_by_name(name)
    if room is None:
        return []
    return [line.text for line in room.lines if isinstance(line, Entry) and line.kind == "message"]


async def test_what_follows_a_join_is_said_there() -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        keys, draft = typing(ann)
        for line in ("first", "/join #den", "second", "/join #lobby", "third", "/topic pipes"):
            keys.submit(line)
        assert keys.waiting == "4 lines wait for /join"
        await until(lambda: said(ann, "#lobby") == ["first", "third"])
        await until(lambda: said(ann, "#den") == ["second"])
        lobby = ann.model.room_by_name("#lobby")
        await until(lambda: lobby is not None and lobby.topic == "pipes")
        assert (keys.waiting, draft.text) == ("", "")


async def test_where_the_way_fails_nothing_is_said() -> None:
    async with serve(room_limit=1) as server, facing(server.addresses[0]) as ann:
        keys, draft = typing(ann)
        for line in ("/join #den", "only for the den", "and this"):
            keys.submit(line)
        await until(lambda: bool(draft.text))
        assert draft.text == "only for the den\nand this"
        assert any(line.startswith("! ") for line in ann.lines)
        keys.submit("after that")
        await until(lambda: said(ann, "#lobby") == ["after that"])


async def test_what_is_no_command_stays_in_the_input() -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        keys, draft = typing(ann)
        keys.submit("x" * 5000)
        assert draft.text == "x" * 5000
        draft.text = ""
        keys.submit("/jion #den")
        assert draft.text == ""  # the history has it; it is nothing to be said
        assert ann.lines[-1].endswith("did you mean /join?")


async def test_a_long_paste_asks() -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        keys, draft = typing(ann)
        keys.paste("one\r\ntwo\rthree\n")
        assert (draft.text, ann.questions) == ("one\ntwo\nthree", [])
        asked: dict[str, tuple[str, int]] = {}
        for key in "sj":
            draft.text, draft.sent = "", 0
            keys.paste("\n".join("abcdef"))
            question: Question = ann.questions[-1]
            question.answers[key]()
            asked[key] = (draft.text, draft.sent)
        assert asked == {"s": ("a\nb\nc\nd\ne\nf", 1), "j": ("a b c d e f", 0)}
