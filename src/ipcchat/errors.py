"""The error tree, the error codes of the wire, and the exit codes of the commands.

An error's class says what happens next; its attributes carry the facts; `str()` makes the sentence.

    IpcchatError                    shown as one line and a hint; `exit_code` ends a command
    ├── UsageError                  2   the command line makes no sense
    ├── SettingError                78  a setting is unknown or has a bad value
    ├── TextError                   2   a name or text that may not be used
    ├── FileError                   1   a file could not be read or written (78: nor its directory)
    ├── Unreachable                 69  no connection could be made
    ├── Untrusted                   77  who answers can't show that it is the server; final
    ├── ConnectionLost              75  it was there, and went
    ├── ProtocolError               76  bytes or messages that break the protocol
    │   ├── RemoteProtocolError         the peer did it: answer, perhaps close
    │   └── LocalProtocolError          we did it: a defect
    ├── Refused                     77  the server said no (75 where `retry` is set)
    ├── ListenError                 1   a listening socket could not be opened (78: no permission)
    └── JournalError                1   the store of what was said
        ├── JournalLocked           75  another server has it
        ├── JournalDamaged          1   its file is damaged
        ├── JournalUnwritable       78  its directory can't be written
        └── JournalUnavailable      75  it can't write at present (full disk)
"""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "CODES",
    "EXIT_OK",
    "EXIT_PROTOCOL",
    "EXIT_REFUSED",
    "EXIT_RUNTIME",
    "EXIT_SETTING",
    "EXIT_TEMPORARY",
    "EXIT_UNREACHABLE",
    "EXIT_USAGE",
    "Code",
    "ConnectionLost",
    "FileError",
    "IpcchatError",
    "JournalDamaged",
    "JournalError",
    "JournalLocked",
    "JournalUnavailable",
    "JournalUnwritable",
    "ListenError",
    "LocalProtocolError",
    "ProtocolError",
    "Refused",
    "RemoteProtocolError",
    "SettingError",
    "TextError",
    "Unreachable",
    "Untrusted",
    "UsageError",
]

# The numbers are those of BSD's sysexits.h where it has one.
EXIT_OK = 0
EXIT_RUNTIME = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 69
EXIT_TEMPORARY = 75
EXIT_PROTOCOL = 76
EXIT_REFUSED = 77
EXIT_SETTING = 78


@dataclass(frozen=True, slots=True)
class Code:
    """What a code on the wire means for whoever gets it."""

    text: str
    """The sentence shown when the sender gives none."""
    retry: bool = False
    """The outcome is open: the same request with the same draft may be sent again."""
    closes: bool = False
    """The sender closes the connection after it."""
    fault: Literal["client", "server", "user"] = "user"
    """Whose doing it is: the program at the client, the server, or what the user asked for."""


CODES: dict[str, Code] = {
    # what was received can't be a message
    "too_long": Code("the frame is longer than allowed", closes=True, fault="client"),
    "bad_frame": Code("the frame is empty or cut off", closes=True, fault="client"),
    "bad_utf8": Code("the frame is not UTF-8", closes=True, fault="client"),
    "bad_json": Code("the frame is not one JSON object", closes=True, fault="client"),
    # it is a message, but not one for here and now
    "unknown_type": Code("unknown message type", fault="client"),
    "bad_field": Code("a field is missing or has a wrong value", fault="client"),
    "bad_state": Code("not allowed in this state of the connection", fault="client"),
    "bad_version": Code("no common protocol version", closes=True, fault="client"),
    "too_many": Code("too many requests in flight", retry=True, fault="client"),
    # login
    "bad_method": Code("unknown login method", fault="client"),
    "bad_proof": Code("the proof of identity is wrong"),
    "nick_taken": Code("that nick is taken"),
    "look_alike": Code("that name looks like one that is taken"),
    "not_invited": Code("you are not invited: ask whoever runs the server for a link"),
    "bad_invite": Code("that invite is unknown, used up or expired: ask for a new one"),
    "banned": Code("you are banned here", closes=True),
    "tls_required": Code("this server speaks TLS", closes=True, fault="client"),
    "replaced": Code("another connection of yours took over", closes=True),
    # what the user asked for
    "bad_name": Code("that name can't be used"),
    "bad_text": Code("that text can't be sent"),
    "no_room": Code("no such room, or not one that is open to you"),
    "room_taken": Code("there is a room of that name already"),
    "bad_query": Code("nothing can be searched for with that"),
    "no_account": Code("nobody has that nick"),
    "kicked": Code("an operator removed you from the room"),
    "forbidden": Code("you may not do that"),
    "draft_conflict": Code("this draft id was used for another content", fault="client"),
    "withdrawn": Code("this draft was withdrawn"),
    "regressed": Code("the server's history is not the one of this cursor", fault="server"),
    # limits and conditions
    "rate_limited": Code("too fast", retry=True),
    "too_slow": Code("the connection could not keep up", retry=True, closes=True),
    "idle": Code("nothing was heard for too long", retry=True, closes=True),
    "full": Code("the server has no room left on its disk", retry=True, fault="server"),
    "busy": Code("the server is busy", retry=True, fault="server"),
    "shutdown": Code("the server is shutting down", retry=True, closes=True, fault="server"),
    "internal": Code("the server failed to handle this", fault="server"),
}
"""Every code that an `error`, `unfollowed` or `bye` may carry."""


class IpcchatError(Exception):
    """Base of all errors that a user may meet: a sentence and, where there is one, a hint."""

    exit_code = EXIT_RUNTIME

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint

    def __str__(self) -> str:
        return self.text


class UsageError(IpcchatError):
    """The command line, or a command typed on the screen, makes no sense."""

    exit_code = EXIT_USAGE


class SettingError(IpcchatError):
    """A setting has a value that is not allowed; the text says what is."""

    exit_code = EXIT_SETTING


class TextError(IpcchatError):
    """A name or text that may not be used. `code` is the wire's code for it."""

    exit_code = EXIT_USAGE

    def __init__(self, text: str, hint: str = "", code: str = "bad_text") -> None:
        super().__init__(text, hint)
        self.code = code


class FileError(IpcchatError):
    """A file could not be read or written; nothing half-written is left."""

    def __init__(self, text: str, hint: str = "", exit_code: int = EXIT_RUNTIME) -> None:
        super().__init__(text, hint)
        self.exit_code = exit_code


class Unreachable(IpcchatError):
    """No connection could be made: nobody listens, no route, unknown host."""

    exit_code = EXIT_UNREACHABLE


class Untrusted(IpcchatError):
    """Who answers can't show that it is the server; nothing was said to it. Not to be retried."""

    exit_code = EXIT_REFUSED


class ConnectionLost(IpcchatError):
    """The connection was there and is gone; what was not acknowledged is open."""

    exit_code = EXIT_TEMPORARY


class ProtocolError(IpcchatError):
    """Bytes or messages that break the protocol. `code` is the wire's code for it."""

    exit_code = EXIT_PROTOCOL

    def __init__(self, text: str, code: str = "bad_frame", request: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.request = request
        """The `id` of the offending request, where it could be read."""

    @property
    def closes(self) -> bool:
        """Whether the connection can't go on after it."""
        return CODES[self.code].closes


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol: answer it, and close where `closes` is set."""


class LocalProtocolError(ProtocolError):
    """We tried to send what may not be sent now: a defect of the caller."""


class Refused(IpcchatError):
    """The server answered a request with an `error`."""

    def __init__(
        self, code: str, text: str = "", *, retry: bool = False, wait_ms: int = 0, hint: str = ""
    ) -> None:
        known = CODES.get(code)
        super().__init__(text or (known.text if known else code), hint)
        self.code = code
        self.retry = retry
        self.wait_ms = wait_ms

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        return EXIT_TEMPORARY if self.retry else EXIT_REFUSED


class ListenError(IpcchatError):
    """A listening socket could not be opened."""

    def __init__(self, text: str, hint: str = "", exit_code: int = EXIT_RUNTIME) -> None:
        super().__init__(text, hint)
        self.exit_code = exit_code


class JournalError(IpcchatError):
    """The store of what was said can't be used."""


class JournalLocked(JournalError):
    """Another server uses the same data."""

    exit_code = EXIT_TEMPORARY


class JournalDamaged(JournalError):
    """The file is not a journal, or its pages are damaged."""


class JournalUnwritable(JournalError):
    """The journal's directory or file can't be written."""

    exit_code = EXIT_SETTING


class JournalUnavailable(JournalError):
    """Nothing can be stored at present; `code` is `full` or `busy`. Reading goes on."""

    exit_code = EXIT_TEMPORARY

    def __init__(self, text: str, hint: str = "", code: str = "full") -> None:
        super().__init__(text, hint)
        self.code = code
