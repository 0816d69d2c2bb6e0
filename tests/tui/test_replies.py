"""What a terminal sends besides keys is taken out of the keys, wherever a read ends."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.input import DummyInput, PipeInput, create_pipe_input
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from ipcchat.terminal.replies import MAX_REPLY, Replies, install

GROUND = "\x1b]11;rgb:1e1e/1e1e/1e1e"
IN, OUT = "\x1b[I", "\x1b[O"


class Reader:
    """A filter, and what it told in order."""

    def __init__(self) -> None:
        self.told: list[bool | str] = []
        self.replies = Replies(self.told.append, self.told.append)

    def feed(self, *reads: str) -> list[str]:
        return [self.replies.feed(read) for read in reads]


@pytest.mark.parametrize(
    ("data", "left", "told"),
    [
        (IN, "", [True]),
        (f"a{OUT}b{IN}c", "abc", [False, True]),
        (GROUND + "\a", "", [GROUND + "\a"]),
        (f"x{GROUND}\x1b\\y", "xy", [GROUND + "\x1b\\"]),
        ("\x1b]4;1;rgb:0/0/0\a\x1b]Ltitle\x1b\\", "", []),
        ("\x1b]110;no\a", "", []),
        (f"\x1b{IN}", "\x1b", [True]),
        ("\x1b[A\x1bOI\x1b[1;5I\x1b[<0;1;1M", "\x1b[A\x1bOI\x1b[1;5I\x1b[<0;1;1M", []),
        (f"\x1b[200~{IN}{GROUND}\a\x1b[201~{OUT}", f"\x1b[200~{IN}{GROUND}\a\x1b[201~", [False]),
        (f"\x1b[200~\x1b[200~{IN}\x1b[201~{IN}", f"\x1b[200~\x1b[200~{IN}\x1b[201~", [True]),
        ("\x1b]ab\rcd\a", "\x1b]ab\rcd\a", []),
        ("\x1b]ab\x1b[A\a", "\x1b]ab\x1b[A\a", []),
        (f"\x1b]ab{IN}", "\x1b]ab", [True]),
    ],
)
def test_events_and_answers_are_told_and_the_rest_is_left(
    data: str, left: str, told: list[bool | str]
) -> None:
    reader = Reader()
    assert reader.feed(data) == [left]
    assert reader.told == told
    assert not reader.replies.flush()


def test_an_esc_passes_at_once_and_the_beginning_of_an_event_waits() -> None:
    reader = Reader()
    assert reader.feed("a\x1b", "b", "\x1b[", "A", "\x1b[", "I", "\x1b[") == [
        "a\x1b", "b", "", "\x1b[A", "", "", ""
    ]  # fmt: skip
    assert reader.told == [True]
    assert [reader.replies.flush(), reader.replies.flush()] == ["\x1b[", ""]
    assert reader.feed("I") == ["I"]


def test_an_esc_that_has_passed_is_completed_to_an_ignored_key() -> None:
    for event, told in ((IN, True), (GROUND + "\a", GROUND + "\a")):
        reader = Reader()
        keys: list[KeyPress] = []
        parser = Vt100Parser(keys.append)
        for read in (*event, "x"):
            parser.feed(reader.replies.feed(read))
        assert [key.key for key in keys] == [Keys.Ignore, "x"]
        assert reader.told == [told]


def test_after_a_flush_an_esc_is_a_key_and_what_follows_is_typed() -> None:
    reader = Reader()
    assert [*reader.feed("\x1b"), reader.replies.flush(), *reader.feed("[", "I", "]11;a\a")] == [
        "\x1b", "", "[", "I", "]11;a\a"
    ]  # fmt: skip
    assert not reader.told


def test_an_osc_without_end_comes_back_as_it_was() -> None:
    osc = "\x1b]" + "7" * (MAX_REPLY - 4)
    reader = Reader()
    assert reader.feed(osc, "8", "9", "0\a") == ["", "", osc + "89", "0\a"]
    reader = Reader()
    assert reader.feed(osc + "8\a", osc + "89\a") == ["", osc + "89\a"]
    reader = Reader()
    assert [*reader.feed("\x1b]", "q"), reader.replies.flush()] == ["", "", "\x1b]q"]


@pytest.mark.parametrize(
    ("reads", "left"), [([GROUND + "\x1b"], ""), (["\x1b", GROUND[1:] + "\x1b"], "\x1b[E")]
)
def test_an_answer_of_old_urxvt_ends_at_a_flush(reads: list[str], left: str) -> None:
    reader = Reader()
    assert "".join(reader.feed(*reads)) + reader.replies.flush() == left
    assert reader.told == [GROUND + "\x1b\\"]


# Keys that may stand anywhere: none ends in what an event begins with, but Esc alone.
PLAIN = st.text(st.characters(blacklist_characters="\x1b[]"), max_size=8)
KEYS = st.sampled_from(
    ["\x1b", "\x1b[A", "\x1bOP", "\x1ba", "\x1b[1;5D", "\x1b[2~", "\x1b[20~", "é"]
)
PASTES = st.lists(
    st.sampled_from([IN, OUT, GROUND + "\a", "text", "\x1b", "\x1b[", "\x1b[20", "\x1b[201", "\n"])
).map(lambda parts: f"\x1b[200~{''.join(parts)}\x1b[201~")
EVENTS = st.sampled_from([IN, OUT])
OSCS = st.builds(
    lambda body, end: f"\x1b]{body}{end}",
    st.one_of(st.just("11;rgb:0/0/0"), st.text(st.characters(min_codepoint=32, max_codepoint=126))),
    st.sampled_from(["\a", "\x1b\\"]),
)
ITEM = st.one_of(
    st.tuples(st.just(False), st.one_of(PLAIN, KEYS, PASTES)),
    st.tuples(st.just(True), st.one_of(EVENTS, OSCS)),
)


@given(st.lists(ITEM, max_size=12), st.data())
def test_wherever_reads_end_the_keys_are_left_and_the_events_told(
    items: list[tuple[bool, str]], data: st.DataObject
) -> None:
    stream = "".join(text for _, text in items)
    everywhere = st.just(set(range(len(stream) + 1)))
    cuts = data.draw(everywhere | st.sets(st.integers(0, len(stream)), max_size=9))
    expected = ""
    told: list[bool | str] = []
    at = 0
    for event, text in items:
        if not event:
            expected += text
        elif at + 1 in cuts:
            expected += "\x1b[E"  # its Esc had passed
        if event and text in (IN, OUT):
            told.append(text == IN)
        elif event and text.startswith("\x1b]11;"):
            told.append(text)
        at += len(text)
    reader = Reader()
    ends = sorted(cuts | {0, len(stream)})
    reads = [stream[start:end] for start, end in pairwise(ends)]
    assert "".join(reader.feed(*reads)) + reader.replies.flush() == expected
    assert reader.told == told


@given(st.lists(st.text(st.sampled_from("\x1b[]IO12;0~\a\\ax\r"), max_size=9), max_size=9))
def test_of_any_stream_each_read_leaves_a_part_in_order(reads: list[str]) -> None:
    reader = Reader()
    left = "".join(reader.feed(*reads)) + reader.replies.flush()
    stream = iter("".join(reads))
    assert all(char in stream for char in left.replace("\x1b[E", "\x1b"))


# --- before prompt_toolkit's keys ---------------------------------------------------------


@pytest.fixture
def pipe() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe:
        yield pipe


def read(pipe: PipeInput) -> list[str]:
    return [key.data for key in pipe.read_keys()]


def test_keys_are_read_without_the_events(pipe: PipeInput) -> None:
    reader = Reader()
    install(pipe, reader.replies)
    pipe.send_text(f"a{IN}{GROUND}\a\x1b[200~{OUT}\x1b[201~é")
    assert read(pipe) == ["a", OUT, "é"]
    assert reader.told == [True, GROUND + "\a"]


def test_a_read_that_leaves_nothing_is_not_the_end(pipe: PipeInput) -> None:
    reader = Reader()
    install(pipe, reader.replies)
    pipe.send_text(IN)
    assert (read(pipe), pipe.closed) == ([], False)
    pipe.send_text("x\x1b[")
    assert (read(pipe), pipe.closed) == (["x"], False)
    pipe.close()
    keys = read(pipe) + [key.data for key in pipe.flush_keys()]
    assert (keys, pipe.closed) == (["\x1b", "["], True)


def test_a_flush_of_keys_lets_go_of_what_was_held(pipe: PipeInput) -> None:
    install(pipe, Reader().replies)
    pipe.send_text("\x1b]z")
    assert read(pipe) == []
    assert [key.data for key in pipe.flush_keys()] == ["\x1b", "]", "z"]
    pipe.send_text("\x1b")
    assert read(pipe) == []
    assert [key.key for key in pipe.flush_keys()] == [Keys.Escape]


def test_bytes_of_a_character_may_come_one_by_one(pipe: PipeInput) -> None:
    install(pipe, Reader().replies)
    got = []
    for byte in "é€".encode():
        pipe.send_bytes(bytes((byte,)))
        got += read(pipe)
    assert got == ["é", "€"]


@pytest.mark.asyncio
async def test_the_loop_reads_on_after_an_event(pipe: PipeInput) -> None:
    reader = Reader()
    install(pipe, reader.replies)
    keys: asyncio.Queue[str] = asyncio.Queue()

    def ready() -> None:
        for key in read(pipe):
            keys.put_nowait(key)

    with pipe.attach(ready):
        pipe.send_text(OUT)
        pipe.send_text("k")
        assert await asyncio.wait_for(keys.get(), 5) == "k"
    assert reader.told == [False]


def test_an_input_without_a_terminal_is_left_alone() -> None:
    dummy = DummyInput()
    install(dummy, Reader().replies)
    assert dummy.read_keys() == []
