"""What happened in a room besides what was said, as a sentence: one for every screen and file."""

__all__ = ["fact"]

_FACTS = {
    "create": "{who} made {text}",
    "rename": "{who} renamed the room to {text}",
    "topic": "{who} set the topic: {text}",
    "kick": "{who} removed {text}",
    "join": "{who} came in",
    "part": "{who} left",
    "invite": "{who} invited {text}",
    "uninvite": "{who} took back the invitation of {text}",
    "decline": "{who} declined the invitation",
}
"""Kind of entry → what it says."""
_BARE = {"create": "{who} made this room for two", "topic": "{who} cleared the topic"}
"""The same of those without a text."""


def fact(kind: str, who: str, text: str) -> str:
    """What an entry that is no message says. `who`: a nick, or empty for the server itself; a kind
    that is not known here is named."""
    unknown = "{who}: {text} ({kind})" if text else "{who} ({kind})"
    known = _FACTS.get(kind, unknown)
    sentence = known if text else _BARE.get(kind, known)
    return sentence.format(who=who or "the server", text=text, kind=kind)
