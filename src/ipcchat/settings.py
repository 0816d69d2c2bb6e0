"""Settings: the fields of two frozen dataclasses are the one table; every limit is a row.

`configuration` reads them from files, environment and flags.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias, TypeVar

from ipcchat.address import parse_address
from ipcchat.amounts import AMOUNTS, parse_amount, show_amount
from ipcchat.errors import IpcchatError, SettingError
from ipcchat.text import check_nick, check_room

__all__ = ["TABLES", "ClientSettings", "Row", "ServerSettings", "Table", "rows"]

T = TypeVar("T")

_KINDS = {bool: "yes or no", tuple: "list", str: "text"}
_MEASURES = {"bytes": "size", "s": "duration"}
_KIB = 1024
_LEVELS = ("debug", "info", "warning", "error")
_ACCESS = ("invite", "open")
_LOOPS = ("auto", "asyncio")
_COLOR = ("auto", "always", "never")
_THEMES = ("auto", "dark", "light")
_NOTIFY = ("auto", "bell", "osc9", "osc777", "osc99", "command", "off")
_LOUDNESS = ("all", "mentions", "none")
_JOINS = ("recent", "all", "none")
_YES = {"1": True, "true": True, "yes": True, "on": True}
_NO = {"0": False, "false": False, "no": False, "off": False}


Check: TypeAlias = Callable[[str], object]


def _check_profile(name: str) -> None:
    if name:
        check_nick(name)


def _check_time(shape: str) -> None:
    try:
        shown = time.strftime(shape)
    except ValueError:
        shown = "%"
    if not shown.isprintable() or "%" in shown:
        raise SettingError("a time is written like %H:%M or %d %b %H:%M")


# --- the table ----------------------------------------------------------------------------


def setting(
    default: T,
    help: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    *,
    choices: tuple[str, ...] = (),
    flag: bool = False,
    check: Check | None = None,
    file_only: bool = False,
    live: bool = False,
    table: bool = False,
) -> T:
    """A row. Unit `bytes` makes it a size, `s` a duration in seconds; `flag`: has a flag of its
    own on the command line, else it is reached by `--set`; `check` raises IpcchatError for a text
    that can't be used; `file_only`: it counts in a configuration file alone; `live`: it may
    change while the program runs. `table`: names with a text each, as pairs; `choices` are those
    of the texts, and what `check` makes of a name takes its place."""
    row: dict[str, Any] = {
        "unit": unit,
        "help": help,
        "low": low,
        "high": high,
        "choices": choices,
        "flag": flag,
    }
    row |= {"check": check, "file_only": file_only, "live": live, "table": table}
    return dataclasses.field(default=default, metadata=row)


@dataclasses.dataclass(frozen=True, repr=False)
class ServerSettings:
    """What `ipcchat-server` can be told."""

    program: ClassVar[str] = "server"

    listen: tuple[str, ...] = setting(
        (":5555",), "where to listen, repeatable: HOST:PORT, :PORT, PORT; 0: a free one", flag=True
    )
    unix: str = setting("", "path of one more Unix socket, for every local user", flag=True)
    data: str = setting(
        "", "directory of the history; empty: the user's; :memory: keeps nothing", flag=True
    )
    headless: bool = setting(False, "log lines instead of the operator's screen", flag=True)
    control: str = setting("", "path of the control socket; empty: follows from the data directory")
    operator_nick: str = setting(
        "operator", "nick of the operator at the server's own screen", check=check_nick
    )
    log_level: str = setting("info", "how much is logged", choices=_LEVELS, flag=True)
    loop: str = setting("auto", "event loop; auto: uvloop where it is installed", choices=_LOOPS)
    access: str = setting(
        "invite", "who may make an account from another machine", choices=_ACCESS, flag=True
    )
    plaintext: bool = setting(False, "TCP without TLS; on loopback alone", flag=True)
    plaintext_anywhere: bool = setting(
        False,
        "without TLS on any address: everybody can listen in; in a file alone",
        file_only=True,
    )
    tls_cert: str = setting("", "certificate (PEM), instead of the server's own", flag=True)
    tls_key: str = setting("", "its private key (PEM), where that is another file", flag=True)
    backlog: int = setting(1024, "waiting to be accepted", "connections", 1, 65_535)
    max_clients: int = setting(12_000, "connected at a time", "connections", 1)
    pending_clients: int = setting(64, "before login, in all", "connections", 2)
    pending_per_address: int = setting(16, "before login, from one address", "connections", 2)
    clients_per_address: int = setting(
        16, "logged in from one address; no bound for loopback", "connections", 1
    )
    handshake_timeout: float = setting(
        5.0, "for the first byte and the TLS handshake of a new connection", "s", 0.1, 60
    )
    first_frame_timeout: float = setting(
        5.0, "after the handshake, for the first whole frame", "s", 0.1, 60
    )
    login_timeout: float = setting(10.0, "for a new connection to log in", "s", 0.1, 3600)
    frame_timeout: float = setting(10.0, "from a frame's first byte to its last", "s", 0.1, 3600)
    say_burst: int = setting(10, "an account may say at once; 0: no limit", "messages", 0, 10_000)
    say_rate: int = setting(5, "an account may say in a second; 0: no limit", "messages", 0)
    idle_after: float = setting(45.0, "without a byte before a connection is closed", "s", 0.5)
    drain_timeout: float = setting(5.0, "for clients to take what is queued at the end", "s", 0)
    queue_bytes: int = setting(256 * _KIB, "unsent, of a connection or a room", "bytes", 64 * _KIB)
    reply_bytes: int = setting(
        256 * _KIB, "unsent replies past which a connection is not read", "bytes", 64 * _KIB
    )
    reply_timeout: float = setting(
        60.0, "without progress in sending before a connection is closed", "s", 0.1
    )
    requests_in_flight: int = setting(256, "unanswered, of a connection", "requests", 1)
    pages_in_flight: int = setting(4, "of history read at the same time, in all", "pages", 1, 64)
    pending_drafts: int = setting(16_384, "waiting to be stored, in all", "messages", 1)
    feed_batches: int = setting(64, "stored and waiting to be delivered", "batches", 1)
    batch_drafts: int = setting(128, "stored in one transaction", "messages", 1, 16_384)
    tail_bytes: int = setting(256 * _KIB, "recent entries of each room kept in memory", "bytes", 0)
    high_water: int = setting(
        64 * _KIB, "unsent over TLS, at which a client is busy", "bytes", _KIB, 1024 * _KIB
    )
    slice_members: int = setting(
        250, "of a room that are served before other work has its turn", "members", 1
    )
    coalesce: float = setting(
        0.02, "rest of a busy room between two deliveries; 0 delivers at once", "s", 0, 1
    )
    presence_grace: float = setting(30.0, "before who lost the connection shows as gone", "s", 0)
    presence_interval: float = setting(0.05, "between two updates of who is here", "s", 0, 60)
    search: bool = setting(True, "an index of what is said, for /search")
    room_limit: int = setting(1000, "an account may be in", "rooms", 1)


@dataclasses.dataclass(frozen=True, repr=False)
class ClientSettings:
    """What `ipcchat-client` can be told."""

    program: ClassVar[str] = "client"

    server: str = setting(
        "localhost",
        "where to connect to: HOST, HOST:PORT, [::1]:PORT or unix:PATH",
        flag=True,
        check=parse_address,
    )
    name: str = setting(
        "",
        "profile, and nick of a new one; empty: the login name",
        flag=True,
        check=_check_profile,
    )
    token: str = setting("", "of a script's account, given by an operator; best in IPCCHAT_TOKEN")
    room: str = setting("#lobby", "room to open first", flag=True, check=check_room)
    plaintext: bool = setting(False, "TCP without TLS; to loopback alone", flag=True)
    plaintext_anywhere: bool = setting(
        False,
        "without TLS to any address: everybody can listen in; in a file alone",
        file_only=True,
    )
    connect_timeout: float = setting(10.0, "for a connection to be made", "s", 0.1, 3600)
    ping_after: float = setting(20.0, "of silence before a sign of life is asked for", "s", 0.1)
    dead_after: float = setting(45.0, "of silence before a connection is given up", "s", 0.2)
    retry_first: float = setting(0.1, "before the first new try to connect; doubles", "s", 0.01, 60)
    retry_early: float = setting(1.0, "at most between the early tries", "s", 0.01, 3600)
    retry_early_for: float = setting(60.0, "that tries count as early", "s", 0)
    retry_late: float = setting(15.0, "at most between the later tries", "s", 0.01, 86_400)
    outbox_expiry: float = setting(600.0, "before an unsent message becomes a draft again", "s", 1)
    skip_over: int = setting(2000, "missed, past which only scrolling fetches them", "entries", 0)
    page: int = setting(200, "of history asked for at a time", "entries", 1, 1000)
    plain: bool = setting(
        False, "one line below the other, for screen readers and simple terminals", flag=True
    )
    redraw: int = setting(
        30, "drawings in a second, at most, for what the network brings", "drawings", 1, 120
    )
    keys: tuple[tuple[str, str], ...] = setting(
        (), "other keys: what they do = how they are pressed", table=True
    )
    theme: str = setting(
        "auto", "colours for which ground; auto: as the terminal says", choices=_THEMES, live=True
    )
    color: str = setting(
        "auto", "auto: by the terminal and NO_COLOR", choices=_COLOR, flag=True, live=True
    )
    notify: str = setting(
        "auto",
        "how attention is asked for; auto: what the terminal can",
        choices=_NOTIFY,
        live=True,
    )
    notify_command: str = setting(
        "", "run for `notify` = command; the words come by its standard input", live=True
    )
    notify_rooms: tuple[tuple[str, str], ...] = setting(
        (),
        "which messages of a room ask for attention; others: mentions",
        choices=_LOUDNESS,
        check=check_room,
        live=True,
        table=True,
    )
    title: bool = setting(True, "what is unread, in the title of the window", live=True)
    mouse: bool = setting(
        False, "the mouse scrolls and clicks, and so does not select text", live=True
    )
    joins: str = setting(
        "recent", "who came and went; recent: of who spoke lately", choices=_JOINS, live=True
    )
    ignore: tuple[str, ...] = setting((), "nicks whose messages are not shown", live=True)
    highlight: tuple[str, ...] = setting(
        (), "words that count as a mention, besides the nick", live=True
    )
    pane_left: int = setting(90, "from which the rooms show at the left", "columns", 0, live=True)
    pane_right: int = setting(
        110, "from which the members show at the right", "columns", 0, live=True
    )
    time_format: str = setting(
        "%H:%M",
        "how the time of a message is written (strftime)",
        check=_check_time,
        live=True,
    )
    editor: str = setting("", "command that edits the input; empty: VISUAL or EDITOR", live=True)


Table: TypeAlias = type[ServerSettings] | type[ClientSettings]
TABLES: tuple[Table, ...] = (ServerSettings, ClientSettings)


# --- rows ---------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Row:
    """One setting as documentation, flags and reading see it."""

    name: str
    default: Any
    unit: str
    help: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    flag: bool
    check: Check | None = None
    file_only: bool = False
    live: bool = False
    table: bool = False

    @property
    def kind(self) -> str:
        """`yes or no`, `list`, `table`, `text`, `size` (bytes), `duration` (seconds), `number`."""
        if self.table:
            return "table"
        return _KINDS.get(type(self.default)) or _MEASURES.get(self.unit, "number")

    @property
    def allowed(self) -> str:
        """The values it takes, in words; empty: any."""
        if self.choices:
            return ("name=" if self.table else "") + ", ".join(self.choices)
        if self.kind == "yes or no":
            return "true, false"
        if self.low is not None and self.high is not None:
            return f"{self.show(self.low)} to {self.show(self.high)}"
        return "" if self.low is None else f"at least {self.show(self.low)}"

    @property
    def bounds(self) -> tuple[float, float]:
        """Of an amount: the least and the most that it may be."""
        return self.low or 0, AMOUNTS[self.kind].most if self.high is None else self.high

    def show(self, value: Any) -> str:
        """A value as one would write it."""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, tuple):
            return ",".join("=".join(item) if self.table else item for item in value)
        return show_amount(self.kind, value) if self.kind in AMOUNTS else str(value)

    def parse(self, value: object) -> Any:
        """A value from text, TOML or a flag, checked. Raises ValueError: what is allowed."""
        if self.kind == "yes or no":
            found = value if isinstance(value, bool) else (_YES | _NO).get(str(value).lower())
            if found is None:
                raise ValueError(f"allowed: {self.allowed}")
            return found
        if self.kind == "list":
            return self._list(value)
        if self.kind == "table":
            return self._table(value)
        if self.kind == "text":
            if not isinstance(value, str) or (self.choices and value not in self.choices):
                raise ValueError(f"allowed: {self.allowed or 'text'}")
            self._checked(value)
            return value
        return parse_amount(self.kind, value, *self.bounds, self.allowed)

    def _checked(self, value: str) -> object:
        if self.check is None:
            return value
        try:
            return self.check(value)
        except IpcchatError as error:
            raise ValueError(error.text) from None

    def _list(self, value: object) -> tuple[str, ...]:
        if isinstance(value, str):
            return tuple(word for part in value.split(",") if (word := part.strip()))
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise ValueError("allowed: a list of texts")
        return tuple(word for part in value for word in self._list(part))

    def _table(self, value: object) -> tuple[tuple[str, str], ...]:
        """Of a mapping, of pairs, or of a text `a=b,c=d`; of equal names the last counts."""
        pairs: Any = value
        if isinstance(value, str):
            # No name of a key has a `=`, and no word of a choice: what is free may have one.
            split = str.rpartition if self.choices else str.partition
            parts = [split(part, "=") for part in value.split(",") if part.strip()]
            if not all(equals for _, equals, _ in parts):
                raise ValueError("allowed: name=value, separated by commas")
            pairs = [(name.strip(), text.strip()) for name, _, text in parts]
        elif isinstance(value, dict):
            pairs = value.items()
        elif not isinstance(value, tuple):
            raise ValueError("allowed: a table of names and texts")
        found: dict[str, str] = {}
        for name, text in pairs:
            if not name or not isinstance(text, str) or (self.choices and text not in self.choices):
                raise ValueError(f"allowed: {self.allowed or 'a table of names and texts'}")
            found[str(self._checked(name))] = text
        return tuple(found.items())


def rows(table: Table) -> tuple[Row, ...]:
    """The table's rows, in order."""
    return tuple(
        Row(field.name, field.default, **field.metadata) for field in dataclasses.fields(table)
    )
