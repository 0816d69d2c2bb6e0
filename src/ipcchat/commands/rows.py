"""The table of the commands, and the one that has a name."""

from dataclasses import dataclass
from typing import Literal

from ipcchat import text
from ipcchat.errors import UsageError

__all__ = [
    "COMMANDS",
    "LITERAL",
    "REST",
    "Argument",
    "Command",
    "Kind",
    "OperatorsOnly",
    "Role",
    "by_name",
    "find",
    "help_table",
]

Role = Literal["member", "operator"]
Kind = Literal[
    "room",  # its name, or @nick: the direct one of oneself and somebody
    "name",  # a nick to be taken
    "nick",  # somebody's
    "ignored",  # the nick of somebody who is ignored
    "word",  # any
    "choice",  # one of the argument's words
    "count",  # a number
    "duration",  # a time such as 2d, or one of the argument's words
    "amount",  # a number, or such a time
    "command",  # its name
    "setting",  # the name of one that can be changed while the program runs
    "value",  # the rest of the line: a setting's
    "text",  # the rest of the line: something said
    "query",  # the rest of the line: what to search for
    "file",  # the rest of the line: the name of a file
]
"""What an argument is."""

REST: tuple[Kind, ...] = ("text", "file", "value", "query")
"""Kinds that take what is left of the line."""


class OperatorsOnly(UsageError):
    """A member typed what is for operators."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One place of a command; those that may be left out come last, as does a rest of the line."""

    kind: Kind
    shown: str
    """In the usage."""
    needed: bool = False
    words: tuple[str, ...] = ()
    """Those of a choice; of a duration, what may stand in its place. In lower case."""


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the table."""

    name: str
    """Without the slash."""
    help: str
    """What it does: half a sentence."""
    group: str
    arguments: tuple[Argument, ...] = ()
    aliases: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """Such as `--force`; they come before the arguments, or after them."""
    role: Role = "member"
    """Who may use it; operators may use all."""
    goes: bool = False
    """Whether it leads to another room: what is typed next is meant for there."""
    says: bool = False
    """Whether it carries something said: where it fails, the line is the user's again."""
    slow: bool = False
    """Whether it may take a while: the next command ends it."""

    @property
    def usage(self) -> str:
        """How it is written: `/save [--force] [FILE]`."""
        words = [f"/{self.name}", *(f"[{option}]" for option in self.options)]
        words += [a.shown if a.needed else f"[{a.shown}]" for a in self.arguments]
        return " ".join(words)


_ROOM = Argument("room", "ROOM")
_NICK = Argument("nick", "NICK", True)
_DURATION = Argument("duration", "DURATION")
_TEXT = Argument("text", "TEXT", True)
_REASON = Argument("text", "REASON")
_WHO = Argument("nick", "NICK")
_ONE_WORD = Argument("word", "WORD")
_WORDS = Argument("text", "WORDS", True)
_SERVER = Argument("word", "SERVER", True)
_SWITCH = Argument("choice", "on/off", words=("on", "off"))
_THEME = Argument("choice", "THEME", words=("auto", "dark", "light"))
_LEVEL = Argument("choice", "LEVEL", words=("all", "mentions", "none"))

COMMANDS: tuple[Command, ...] = (
    Command(
        "join",
        "join a room, or make it; --private: for those you invite; @nick: for two",
        "rooms",
        (Argument("room", "ROOM", True),),
        ("j",),
        ("--private",),
        goes=True,
    ),
    Command(
        "part",
        "leave this room, or another, or decline an invitation; one for two is hidden until more"
        " is said",
        "rooms",
        (_ROOM,),
        ("leave",),
        goes=True,
    ),
    Command("invite", "let somebody into this private room", "rooms", (_NICK,)),
    Command("uninvite", "take an invitation back, or remove who has come in", "rooms", (_NICK,)),
    Command(
        "list",
        "list the rooms, or those with PATTERN in their names",
        "rooms",
        (Argument("word", "PATTERN"),),
    ),
    Command("names", "list the members of this room, or of another", "rooms", (_ROOM,), ("who",)),
    Command("rooms", "list your rooms, and what is unread in them", "rooms"),
    Command("topic", "show the topic, or set it", "rooms", (Argument("text", "TEXT"),)),
    Command("nick", "take another nick", "talk", (Argument("name", "NICK", True),)),
    Command("me", "say what you do: * ann waves", "talk", (_TEXT,), says=True),
    Command("msg", "say something to one person alone", "talk", (_NICK, _TEXT), says=True),
    Command("query", "go to where you talk to one person alone", "talk", (_NICK,), goes=True),
    Command("reply", "answer the last direct message that came", "talk", (_TEXT,), says=True),
    Command("whois", "tell who somebody is, whether here, and in which rooms", "talk", (_NICK,)),
    Command(
        "away", "tell the others that you are away, and why", "talk", (Argument("text", "TEXT"),)
    ),
    Command("back", "tell them that you are back", "talk"),
    Command("retry", "try once more to send the first line that was not sent", "talk"),
    Command("discard", "drop the first line that was not sent", "talk"),
    Command("ignore", "see no messages of somebody, or list whom", "talk", (_WHO,)),
    Command("unignore", "see them again", "talk", (Argument("ignored", "NICK", True),)),
    Command("highlight", "count a word as a mention, or list such words", "talk", (_ONE_WORD,)),
    Command("unhighlight", "count it no more", "talk", (Argument("word", "WORD", True),)),
    Command(
        "notify",
        "what asks for attention in this room: all, mentions, none",
        "talk",
        (_LEVEL,),
    ),
    Command(
        "dnd",
        "nothing asks for attention for 30m, 2h; off ends it",
        "talk",
        (Argument("duration", "DURATION", words=("off",)),),
    ),
    Command(
        "search",
        "search all that you may read: words from:bob in:#lab after:2026-11-01 before:2h; "
        "without words: more of what was found; --show 3: what was said around number 3 (--plain)",
        "history",
        (Argument("query", "WORDS"),),
        options=("--show",),
        slow=True,
    ),
    Command("find", "show the loaded lines that have all these words", "history", (_WORDS,)),
    Command(
        "history",
        "load older history: so many lines, or of the last 2h",
        "history",
        (Argument("amount", "AMOUNT"),),
    ),
    Command(
        "save",
        "write the whole room to a file: .txt, .json or .html; --loaded: only what is on hand",
        "history",
        (Argument("file", "FILE"),),
        options=("--loaded", "--force"),
    ),
    Command("clear", "clear the screen; nothing is deleted", "history"),
    Command(
        "help", "list the commands, or explain one", "program", (Argument("command", "COMMAND"),)
    ),
    Command("keys", "list the keys", "program"),
    Command(
        "set",
        "list the settings, or change one, for later too; default: as it was",
        "program",
        (Argument("setting", "KEY"), Argument("value", "VALUE")),
    ),
    Command("theme", "colours for a dark or a light ground; auto", "program", (_THEME,)),
    Command("mouse", "let the mouse scroll and click, or select text", "program", (_SWITCH,)),
    Command("editor", "edit the input in your editor", "program"),
    Command("connect", "go to another server", "program", (_SERVER,)),
    Command("reconnect", "connect again", "program"),
    Command("quit", "leave the program", "program", aliases=("exit",)),
    Command("op", "make somebody an operator", "people", (_NICK,), role="operator"),
    Command("deop", "make an operator a member again", "people", (_NICK,), role="operator"),
    Command("kick", "remove somebody from this room", "people", (_NICK, _REASON), role="operator"),
    Command(
        "ban",
        "keep somebody out, for 10m, 1h, 2d, or for ever",
        "people",
        (_NICK, _DURATION, _REASON),
        role="operator",
    ),
    Command("unban", "end a ban", "people", (_NICK,), role="operator"),
    Command("bans", "list who is banned", "people", role="operator"),
    Command("release", "free a nick whose owner lost the key", "people", (_NICK,), role="operator"),
    Command("admit", "let in who asks to join", "people", (_NICK,), role="operator"),
    Command(
        "link",
        "make a join link, for one person and 7d unless told",
        "people",
        (Argument("count", "USES"), _DURATION),
        role="operator",
    ),
    Command("links", "list the invites in join links", "people", role="operator"),
    Command(
        "revoke",
        "end an invite, by the beginning of its name in /links",
        "people",
        (Argument("word", "PREFIX", True),),
        role="operator",
    ),
    Command("reload", "read the settings again", "server", role="operator"),
    Command("shutdown", "stop the server", "server", role="operator"),
)
"""Every command there is, in the order of `/help`."""

_BY_NAME = {name: row for row in COMMANDS for name in (row.name, *row.aliases)}


def find(name: str, role: Role = "member") -> Command:
    """The command of that name or alias, with or without a slash.

    Raises UsageError with a suggestion where there is none; OperatorsOnly.
    """
    word = name.removeprefix("/").lower()
    command = _BY_NAME.get(word)
    if command is None:
        raise UsageError(f"unknown command /{text.visible(word)}", _suggestion(word, role))
    if command.role == "operator" and role != "operator":
        raise OperatorsOnly(f"/{command.name} is for operators")
    return command


def by_name(word: str) -> Command | None:
    """The command of that name or alias, in lower case and without a slash."""
    return _BY_NAME.get(word)


LITERAL = "start with // to send a line that begins with a slash"


def _suggestion(word: str, role: Role) -> str:
    names = [name for name, row in _BY_NAME.items() if row.role in ("member", role)]
    close = [name for name in names if word and name.startswith(word)]
    if not close:
        import difflib  # for mistakes alone

    close = close or difflib.get_close_matches(word, names, n=2)
    if not close or "/" in word:
        return LITERAL
    return f"did you mean {' or '.join(f'/{name}' for name in sorted(close)[:4])}?"


def help_table() -> str:
    """The commands as a table in Markdown."""
    lines = ["| command | what it does |", "|---|---|"]
    for row in COMMANDS:
        also = "".join(f", `/{alias}`" for alias in row.aliases)
        operators = " (operators)" if row.role == "operator" else ""
        lines.append(f"| `{row.usage}`{also} | {row.help}{operators} |")
    return "\n".join(lines) + "\n"
