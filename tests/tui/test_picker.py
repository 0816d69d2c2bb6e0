"""The quick switcher: what fits, what comes first, what is selected."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from ipcchat.tui.finder import loose
from ipcchat.tui.picker import Candidate, Picker, match, parts


def rooms(*names: str) -> list[Candidate]:
    return [Candidate(name, number) for number, name in enumerate(names, 1)]


def names(picker: Picker) -> list[str]:
    return [choice.candidate.name for choice in picker.choices]


def marked(query: str, name: str) -> str | None:
    found = match(query, name)
    if found is None:
        return None
    return "".join(f"[{part}]" if fits else part for part, fits in parts(name, found.positions))


@pytest.mark.parametrize(
    ("query", "name", "shown"),
    [
        ("lab", "#lab", "#[lab]"),
        ("LAB", "#lab", "#[lab]"),
        ("#lab", "#lab-2", "[#lab]-2"),
        ("cafe", "#Café", "#[Café]"),
        ("cafe", "#Cafe\u0301", "#[Cafe\u0301]"),
        ("strasse", "#Straße", "#[Straße]"),
        ("ist", "#İstanbul", "#[İst]anbul"),
        ("x", "#İx", "#İ[x]"),
        ("do", "#dev-ops", "#[d]ev-[o]ps"),
        ("bo", "@bob", "@[bo]b"),
        ("@bo", "@bob", "[@bo]b"),
        ("mr", "#myGreatRoom", "#[m]yGreat[R]oom"),
        ("ops", "#hops-ops", "#hops-[ops]"),
        ("dev ops", "#dev-ops", "#[dev]-[ops]"),
        ("\U0001f467", "#\U0001f469\u200d\U0001f467x", "#[\U0001f469\u200d\U0001f467]x"),
        ("", "#lab", "#lab"),
        ("bal", "#lab", None),
        ("labb", "#lab", None),
    ],
)
def test_what_fits_and_where(query: str, name: str, shown: str | None) -> None:
    assert marked(query, name) == shown


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("lab", "#lab", "#labs"),
        ("lab", "#laboratory", "#my-lab"),
        ("lab", "#my-lab", "#l-a-b"),
        ("lab", "#my-lab", "#slab"),
        ("lab", "#l-a-b", "#slab"),
        ("lab", "#slab", "#slxaxb"),
        ("lab", "#xlaxb", "#xlxaxb"),
        ("op", "#xOp", "#xop"),
    ],
)
def test_the_better_fit_comes_first(query: str, better: str, worse: str) -> None:
    picker = Picker(rooms(worse, better))
    picker.type(query)
    assert names(picker) == [better, worse]


def test_ties_go_to_the_shorter_then_to_the_order_given() -> None:
    picker = Picker(rooms("#lab-30", "#lab-2", "#lab-1"))
    picker.type("lab")
    assert names(picker) == ["#lab-2", "#lab-1", "#lab-30"]


def test_with_nothing_typed_the_urgent_come_first_and_where_one_is_last() -> None:
    picker = Picker(
        [
            Candidate("#here", 1, unread=9, mentions=9, current=True),
            Candidate("#quiet", 2),
            Candidate("#unread", 3, unread=5),
            Candidate("#mention", 4, unread=1, mentions=1),
            Candidate("bob", 1, mentions=1, kind="person"),
        ]
    )
    expected = ["#mention", "bob", "#unread", "#quiet", "#here"]
    assert names(picker) == expected
    picker.type(" ")
    assert names(picker) == expected


def test_the_selection_goes_around() -> None:
    picker = Picker(rooms("#a", "#b", "#c"))
    seen = []
    for by in (0, 1, 1, 1, -1):
        picker.move(by)
        assert picker.selected is not None
        seen.append(picker.selected.name)
    assert seen == ["#a", "#b", "#c", "#a", "#c"]
    picker.type("#")
    assert picker.index == 0


def test_nothing_to_choose_from() -> None:
    for picker in (Picker([]), Picker(rooms("#a"))):
        picker.type("zz")
        picker.move(1)
        picker.move(-1)
        assert picker.choices == []
        assert picker.selected is None
        for _ in range(3):
            picker.backspace()
            picker.clear_word()
        assert picker.query == ""


def test_the_query_is_edited_by_clusters_and_words() -> None:
    picker = Picker([])
    picker.type("one two\n")
    picker.type("e\u0301\U0001f469\u200d\U0001f467")
    assert picker.query == "one two \u00e9\U0001f469\u200d\U0001f467"
    picker.backspace()
    assert picker.query == "one two \u00e9"
    picker.clear_word()
    assert picker.query == "one two "
    picker.clear_word()
    assert picker.query == "one "


def test_what_is_selected_stays_so_when_the_rooms_change() -> None:
    picker = Picker(rooms("#a", "#b"))
    picker.move(1)
    picker.update([Candidate("#c", 3, mentions=1), *rooms("#a", "#renamed")])
    assert picker.selected == Candidate("#renamed", 2)
    picker.update(rooms("#a"))
    assert picker.selected == Candidate("#a", 1)


NAMES = st.one_of(
    st.text("aAb#- _.\u00df\u00e9\u0130\u0301\u200d\U0001f469", max_size=12), st.text()
)


def inside(query: str, name: str) -> bool:
    """Whether the characters are there in order."""
    left = iter(name)
    return all(char in left for char in query)


@given(NAMES, NAMES)
def test_a_name_fits_where_it_has_the_characters_in_order(query: str, name: str) -> None:
    found = match(query, name)
    wanted = loose(query)
    fits = inside(wanted, loose(name)) or inside(wanted.replace(" ", ""), loose(name))
    assert (found is not None) == fits
    if found is not None:
        clusters = list(iter_graphemes(name))
        assert list(found.positions) == sorted(set(found.positions))
        assert all(0 <= position < len(clusters) for position in found.positions)
        picked = "".join(clusters[position] for position in found.positions)
        assert inside(wanted, loose(picked)) or inside(wanted.replace(" ", ""), loose(picked))
        assert "".join(part for part, _ in parts(name, found.positions)) == name


@pytest.mark.parametrize("query", ["e", "te", "est", "dt0", "tetetete", "zz"])
def test_a_thousand_rooms_take_no_time(query: str) -> None:
    words = ["dev", "ops", "lab", "web", "net", "sock", "week", "home", "test", "prod", "data"]
    picker = Picker(
        Candidate(f"#{words[n % 11]}-{words[n // 11 % 11]}-{words[n // 7 % 11]}{n}", n)
        for n in range(1000)
    )
    taken = []
    for _ in range(5):
        picker.query = ""
        start = time.perf_counter()
        picker.query = query
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.010, taken
