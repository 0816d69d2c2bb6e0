"""Tab in sentences knows what Tab on the full screen knows."""

import pytest
from tests.client.peer import entry

from ipcchat.client.model import Model
from ipcchat.plain.completion import Completer
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import FollowOk, Member, Room


@pytest.fixture
def model() -> Model:
    made = Model("here", "ann", settings=ClientSettings(ignore=("Bert",)))
    made.login(1, "ann", "member")
    room = made.add_room(Room(1, "#lobby", joined=True))
    people = enumerate(("ann", "abe", "adam", "ada"), 1)
    made.set_members(room, [Member(number, nick) for number, nick in people])
    made.placed(room, "e" * 32, FollowOk(1, from_=0, head=2, first=1), resumed=False)
    for seq, by in ((1, 3), (2, 4), (3, 1)):
        made.apply(entry(seq, by=by))
    return made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("/set the", "/set theme "),
        ("/set theme d", "/set theme dark"),
        ("/unignore b", "/unignore Bert"),
        ("hi #lo", "hi #lobby"),
        ("/msg AD", "/msg ada"),
        ("/join @adam", "/join @adam"),
        ("/search x from:ab", "/search x from:abe"),
    ],
)
def test_the_word_becomes_what_it_may_stand_for(model: Model, text: str, made: str) -> None:
    assert (Completer(model).next(text, "member") or "").rstrip() == made.rstrip()


def test_somebody_in_another_room_is_known_too(model: Model) -> None:
    other = model.add_room(Room(2, "#den", joined=True))
    model.set_members(other, [Member(1, "ann"), Member(9, "zoe")])
    assert Completer(model).next("/msg z", "member") == "/msg zoe"
    assert Completer(model).next("z", "member") is None


def test_who_spoke_last_comes_first_and_oneself_last(model: Model) -> None:
    completer, text, found = Completer(model), "a", []
    for _ in range(4):
        text = completer.next(text, "member") or ""
        found.append(text)
    assert found == ["ada: ", "adam: ", "abe: ", "ann: "]
