"""Decisions about people: accounts, their names and proofs, who may come in, who may do what.

Part of `apply`, and pure as it is. What is asked by operators alone is checked by `apply`.
"""

from collections.abc import Callable

from msgspec.structs import replace

from ipcchat.entries import SYSTEM_ROOM
from ipcchat.journal.drafts import Decision, Draft, Outcome, refused
from ipcchat.journal.state import Account, Invite, Overlay, Reserved

__all__ = ["DEEDS", "NICKS_KEPT", "RESERVED", "TOKEN"]

TOKEN = "token:"
"""How the credential of a script's token begins; its hash follows."""
RESERVED = 30 * 86_400_000
"""Milliseconds that a nick stays its owner's after a change."""
NICKS_KEPT = 5
"""Nicks reserved for an account, besides its present one; the oldest goes."""


def _fact(
    state: Overlay,
    draft: Draft,
    kind: str,
    *,
    by: int | None = None,
    text: str = "",
    target: int = 0,
) -> Decision:
    """An accepted draft whose entry is a server-wide fact."""
    entry = state.enter(draft, SYSTEM_ROOM, kind, text, target, by=by)
    return Decision(Outcome(SYSTEM_ROOM, entry.seq, draft.time), entry)


def _same(draft: Draft) -> Decision:
    """Accepted, and nothing changes."""
    return Decision(Outcome(time=draft.time))


# --- names --------------------------------------------------------------------------------


def _taken(state: Overlay, draft: Draft, account: int) -> str:
    """Why the account may not have the draft's nick; empty: it may."""
    if state.nick_keys.get(draft.key) not in (None, account):
        return "nick_taken"
    kept = state.reserved.get(draft.key)
    if kept is not None and kept.account != account and kept.until > draft.time:
        return "nick_taken"
    alike = state.nick_skeletons.get(draft.skeleton) if draft.skeleton else None
    if alike is None or alike == account:
        return ""
    holds = state.account(alike).skeleton == draft.skeleton or any(
        kept.skeleton == draft.skeleton and kept.account == alike and kept.until > draft.time
        for _, kept in state.reserved.items()
    )
    return "look_alike" if holds else ""


def _reserve(state: Overlay, draft: Draft, account: Account) -> None:
    """Keeps the account's nick for it."""
    own = [
        (kept.until, key) for key, kept in state.reserved.items() if kept.account == account.number
    ]
    for _, key in sorted(own)[: max(0, len(own) - NICKS_KEPT + 1)]:
        _unreserve(state, key)
    state.reserved[account.key] = Reserved(account.number, draft.time + RESERVED, account.skeleton)


def _unreserve(state: Overlay, key: str) -> None:
    """A nick is nobody's any more, and what looks like it."""
    kept = state.reserved.get(key)
    if kept is None:
        return
    state.reserved.remove(key)
    alike = state.nick_skeletons.get(kept.skeleton)
    if alike == kept.account and state.account(alike).skeleton != kept.skeleton:
        state.nick_skeletons.remove(kept.skeleton)


def _nick(state: Overlay, draft: Draft) -> Decision:
    if code := _taken(state, draft, draft.account):
        return refused(draft, code)
    account = state.account(draft.account)
    if account.nick == draft.name:
        return _same(draft)
    decision = _fact(state, draft, "rename", text=draft.name)
    if account.key != draft.key:
        _reserve(state, draft, account)
        _unreserve(state, draft.key)
    state.set_account(replace(account, nick=draft.name, key=draft.key, skeleton=draft.skeleton))
    if account.skeleton and account.key != draft.key:
        state.nick_skeletons[account.skeleton] = account.number  # reserved, as the nick is
    return Decision(Outcome(time=draft.time), decision.entry)


def _release(state: Overlay, draft: Draft) -> Decision:
    """Frees a nick: of the account `target`, which gets another; else the one that is reserved."""
    if not draft.target:
        if state.reserved.get(draft.key) is None:
            return refused(draft, "no_account")
        _unreserve(state, draft.key)
        return _fact(state, draft, "release")
    account = state.accounts.get(draft.target)
    if account is None or account.role == "operator":
        return refused(draft, "forbidden" if account else "no_account")
    if code := _taken(state, draft, account.number):
        return refused(draft, code)
    state.set_account(replace(account, nick=draft.name, key=draft.key, skeleton=draft.skeleton))
    return _fact(state, draft, "release", text=draft.name, target=account.number)


# --- coming in ----------------------------------------------------------------------------


def _account(state: Overlay, draft: Draft) -> Decision:
    if state.credentials.get(draft.credential) is not None:
        return _same(draft)
    number = state.credentials.get(draft.older) if draft.older else None
    if number is not None:
        return _prove(state, draft, number)
    if not draft.name:  # it was to move, and another connection was first
        return refused(draft, "bad_proof")
    if code := _uninvited(state, draft) or _taken(state, draft, 0):
        return refused(draft, code)
    _use(state, draft)
    number = state.last_account + 1
    role = draft.role or "member"
    state.set_account(Account(number, draft.name, draft.key, role, draft.skeleton))
    _open(state, draft, number)
    return _fact(state, draft, "account", by=number, text=draft.name)


def _uninvited(state: Overlay, draft: Draft) -> str:
    """Why a stranger may not come in; empty: it may."""
    if draft.open or _admitted(state, draft):
        return ""
    invite = state.invites.get(draft.invite) if draft.invite else None
    if invite is None:
        return "bad_invite" if draft.invite else "not_invited"
    return "" if invite.expires > draft.time else "bad_invite"


def _admitted(state: Overlay, draft: Draft) -> bool:
    """Whether operators let the stranger in, and it comes in time."""
    return (state.admitted.get(draft.credential) or 0) > draft.time


def _use(state: Overlay, draft: Draft) -> None:
    """Uses up what let a stranger in; an admission that was over let nobody in, and goes, too."""
    if draft.open:
        return
    admitted = _admitted(state, draft)
    state.admitted.remove(draft.credential)
    invite = None if admitted else state.invites.get(draft.invite)
    if invite is not None:
        if invite.uses > 1:
            state.invites[draft.invite] = replace(invite, uses=invite.uses - 1)
        else:
            state.invites.remove(draft.invite)


def _open(state: Overlay, draft: Draft, number: int) -> None:
    state.credentials[draft.credential] = number
    if draft.scope:
        state.scopes[draft.credential] = draft.scope


def _prove(state: Overlay, draft: Draft, number: int) -> Decision:
    if draft.older:
        state.credentials.remove(draft.older)
    _open(state, draft, number)
    return _fact(state, draft, "credential", by=draft.account or number, target=number)


def _credential(state: Overlay, draft: Draft) -> Decision:
    """Another proof of the account `target`."""
    if state.credentials.get(draft.credential) is not None:
        return _same(draft)
    if state.accounts.get(draft.target) is None:
        return refused(draft, "no_account")
    return _prove(state, draft, draft.target)


def _invite(state: Overlay, draft: Draft) -> Decision:
    if state.invites.get(draft.credential) is not None:
        return _same(draft)
    state.invites[draft.credential] = Invite(draft.account, draft.seq, draft.until)
    return _fact(state, draft, "invite", target=draft.seq)


def _revoke(state: Overlay, draft: Draft) -> Decision:
    """Ends an invite, or a script's token."""
    if state.invites.get(draft.credential) is not None:
        state.invites.remove(draft.credential)
        return _fact(state, draft, "revoke", text=draft.credential)
    token = TOKEN + draft.credential
    number = state.credentials.get(token)
    if number is None:
        return refused(draft, "bad_invite")
    state.credentials.remove(token)
    state.scopes.remove(token)
    return _fact(state, draft, "revoke", text=draft.credential, target=number)


def _admit(state: Overlay, draft: Draft) -> Decision:
    state.admitted[draft.credential] = draft.until
    return _fact(state, draft, "admit", text=draft.name)


# --- rights -------------------------------------------------------------------------------


def _role(state: Overlay, draft: Draft) -> Decision:
    account = state.accounts.get(draft.target)
    if account is None:
        return refused(draft, "no_account")
    if account.role == draft.role:
        return _same(draft)
    state.set_account(replace(account, role=draft.role))
    return _fact(state, draft, "role", text=draft.role, target=draft.target)


def _ban(state: Overlay, draft: Draft) -> Decision:
    account = state.accounts.get(draft.target)
    if account is None or account.role == "operator":
        return refused(draft, "forbidden" if account else "no_account")
    state.bans[draft.target] = draft.until
    return _fact(state, draft, "ban", text=draft.text, target=draft.target)


def _unban(state: Overlay, draft: Draft) -> Decision:
    if state.accounts.get(draft.target) is None:
        return refused(draft, "no_account")
    if state.bans.get(draft.target) is None:
        return _same(draft)
    state.bans.remove(draft.target)
    return _fact(state, draft, "unban", target=draft.target)


DEEDS: dict[str, Callable[[Overlay, Draft], Decision]] = {
    "account": _account,
    "admit": _admit,
    "ban": _ban,
    "credential": _credential,
    "invite": _invite,
    "nick": _nick,
    "release": _release,
    "revoke": _revoke,
    "role": _role,
    "unban": _unban,
}
