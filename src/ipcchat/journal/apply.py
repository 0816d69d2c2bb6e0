"""The one place that decides: from the state and a draft to an outcome.

Pure: `apply` reads the draft and what earlier drafts left behind, and nothing else: no clock, no
configuration, no connection, no chance, no order of a set. It runs inside the transaction that
stores what it decides. The order of decisions:

1. an earlier outcome of the same (account, draft id);
2. a refusal found before (`Draft.refusal`);
3. who asks: nobody who is banned; of what operators ask, operators alone;
4. existence and uniqueness of rooms and nicks, invites; a room that one may not see (`sight`) is
   none;
5. no change;
6. numbers, from counters that are consumed on acceptance alone.
"""

from collections.abc import Callable, Sequence

from ipcchat.entries import SERVER, Entry
from ipcchat.journal import entrance, rights
from ipcchat.journal.drafts import OPERATORS, Content, Decision, Draft, Outcome, hashed, refused
from ipcchat.journal.sight import first_seen
from ipcchat.journal.state import Overlay, Stored

__all__ = ["Attempt", "Decision", "Lookup", "StoreFailure", "apply", "decide", "isolate"]


class StoreFailure(Exception):
    """Storing failed, whatever the drafts were; its cause says why."""


Lookup = Callable[[tuple[int, str]], Stored | None]
"""Finds the outcome that an earlier batch stored for an (account, draft id)."""
Attempt = Callable[[Overlay, Sequence[Draft]], list[Decision]]
"""Decides about drafts on the overlay given and stores what came of it; where it raises, it has
stored nothing, and the overlay is dropped."""


def decide(state: Overlay, drafts: Sequence[Draft], lookup: Lookup) -> list[Decision]:
    """Decides about drafts in their order, each on what the ones before it left."""
    decisions = []
    outcomes = state.outcomes
    nick, speaker = "", None  # of the draft before, where that was an accepted message
    for draft in drafts:
        kind = draft.kind
        if kind == "read":
            decisions.append(_read(state, draft))
            continue
        key = (draft.account, draft.id)
        earlier = outcomes.get(key) or lookup(key)
        asking = (draft.account, draft.room, draft.time)
        if asking == speaker and kind == "message" and earlier is None and not draft.refusal:
            decision = _said(state, draft, nick)  # nothing it depends on has changed since
        else:
            decision = apply(state, draft, earlier)
            entry = decision.entry
            speaker = None if entry is None or kind != "message" else asking
            nick = "" if entry is None else entry.nick
        if decision.stored:
            outcomes[key] = (decision.outcome, draft.content)
        decisions.append(decision)
        state.applied += 1
    return decisions


def isolate(
    state: Overlay,
    drafts: Sequence[Draft],
    attempt: Attempt,
    blame: Callable[[Exception], None],
) -> tuple[Overlay, list[Decision]]:
    """Decides about drafts of which some may raise: halves them until the culprits stand alone.

    A culprit's outcome is `internal`, which is not stored, and it leaves nothing in the overlay
    that is returned. `blame` is told its error; a StoreFailure is nobody's fault and ends it all.
    """
    trial = state.copy()
    try:
        return trial, attempt(trial, drafts)
    except StoreFailure:
        raise
    except Exception as error:
        if len(drafts) == 1:
            blame(error)
            return state, [Decision(Outcome(time=drafts[0].time, code="internal"), stored=False)]
    middle = len(drafts) // 2
    state, left = isolate(state, drafts[:middle], attempt, blame)
    state, right = isolate(state, drafts[middle:], attempt, blame)
    return state, left + right


def apply(state: Overlay, draft: Draft, earlier: Stored | None) -> Decision:
    """Decides about one draft. `earlier` is its stored outcome and content, if any."""
    if earlier is not None:
        return _again(draft, *earlier)
    if draft.kind == "withdraw":
        return Decision(Outcome(code="withdrawn", time=draft.time))
    if draft.refusal:
        return refused(draft, draft.refusal)
    if draft.account != SERVER and (code := _unable(state, draft)):
        return refused(draft, code)
    return _DEEDS[draft.kind](state, draft)


def _unable(state: Overlay, draft: Draft) -> str:
    """Why the account may not ask this; empty: it may."""
    if (draft.kind in OPERATORS or draft.kind == "account") and state.account(
        draft.account
    ).role != "operator":
        return "forbidden"
    return "banned" if state.banned(draft.account, draft.time) else ""


def _again(draft: Draft, outcome: Outcome, content: Content) -> Decision:
    if (
        draft.kind != "withdraw"
        and outcome.code != "withdrawn"
        and hashed(content) != hashed(draft.content)
    ):
        outcome = Outcome(code="draft_conflict", time=draft.time)
    return Decision(outcome, stored=False)


def _message(state: Overlay, draft: Draft) -> Decision:
    by = draft.account
    if first_seen(state, draft.room, by) is None:
        return refused(draft, "no_room")
    return _said(state, draft, state.account(by).nick if by != SERVER else "")


def _said(state: Overlay, draft: Draft, nick: str) -> Decision:
    # What most drafts are: no further calls.
    by, room, time = draft.account, draft.room, draft.time
    seq = state.next_seq(room)
    if not draft.quiet and by != SERVER:
        state.markers.changes[by, room] = seq
    entry = Entry(room, seq, time, by, nick, "message", draft.id, draft.text, draft.style)
    return Decision(Outcome(room, seq, time), entry)


def _topic(state: Overlay, draft: Draft) -> Decision:
    room = state.room(draft.room)
    if room is None or first_seen(state, draft.room, draft.account) is None:
        return refused(draft, "no_room")
    if room.topic == draft.text:
        return Decision(Outcome(draft.room, 0, draft.time))
    state.set_topic(draft.room, draft.text)
    entry = state.enter(draft, draft.room, "topic", draft.text)
    return Decision(Outcome(draft.room, entry.seq, draft.time), entry)


def _read(state: Overlay, draft: Draft) -> Decision:
    if first_seen(state, draft.room, draft.account) is None:
        return Decision(Outcome(code="no_room"), stored=False)
    marker = min(draft.seq, state.head(draft.room))
    if marker > (state.markers.get((draft.account, draft.room)) or 0):
        state.markers[draft.account, draft.room] = marker
    return Decision(Outcome(draft.room, 0, draft.time), stored=False)


_DEEDS: dict[str, Callable[[Overlay, Draft], Decision]] = {
    **rights.DEEDS,
    **entrance.DEEDS,
    "message": _message,
    "topic": _topic,
}
