"""The protocol as a state machine without I/O: bytes in, values out; values in, bytes out.

One class serves both roles; what may be said in which state is data (`ALLOWED`, `MOVES`). An
error in what the peer sent is a value in its place: the caller answers it. Nothing here knows a
socket, and nothing raises for what the peer did.

    OPEN ──hello/ok──▶ GREETED ──login/ok──▶ READY ──bye, or an error that closes──▶ CLOSED
"""

from enum import Enum, auto

from msgspec import Struct

from ipcchat.errors import CODES, LocalProtocolError, RemoteProtocolError
from ipcchat.wire import codec, messages
from ipcchat.wire.framing import HEADER, LIMIT, LIMIT_BEFORE_LOGIN, FrameReader
from ipcchat.wire.messages import Bye, Error, Hello, HelloOk, Login, LoginOk, Ok, Ping

__all__ = ["ALLOWED", "MOVES", "Protocol", "Role", "State"]


class Role(Enum):
    """Which side we are."""

    CLIENT = auto()
    SERVER = auto()


class State(Enum):
    """How far the two have come."""

    OPEN = auto()
    GREETED = auto()
    READY = auto()
    CLOSED = auto()


_SESSION = frozenset(messages.REPLIES) - {Hello, Login}

ALLOWED: dict[State, frozenset[type[Struct]]] = {
    State.OPEN: frozenset({Hello}),
    State.GREETED: frozenset({Login, Ping}),
    State.READY: _SESSION,
    State.CLOSED: frozenset(),
}
"""Which requests may be made in which state."""

MOVES: dict[tuple[State, type[Struct]], State] = {
    (State.OPEN, HelloOk): State.GREETED,
    (State.GREETED, LoginOk): State.READY,
    (State.OPEN, Bye): State.CLOSED,
    (State.GREETED, Bye): State.CLOSED,
    (State.READY, Bye): State.CLOSED,
}
"""Which message from the server leads from which state to which."""


class Protocol:
    """One end of a connection."""

    __slots__ = ("_asked", "_frames", "role", "state")

    def __init__(self, role: Role) -> None:
        self.role = role
        self.state = State.OPEN
        limit = LIMIT_BEFORE_LOGIN if role is Role.SERVER else LIMIT
        self._frames = FrameReader(limit)
        self._asked: dict[int, type[Struct]] = {}
        """At the client: requests without a reply."""

    def receive(self, data: bytes | memoryview) -> list[Struct | RemoteProtocolError]:
        """What a chunk of bytes says, in order; never raises.

        An error that closes is the last value ever. `data` may be overwritten afterwards.
        """
        if self.state is State.CLOSED:
            return []
        values: list[Struct | RemoteProtocolError] = []
        if self.role is Role.SERVER:
            self._receive_requests(self._frames.feed(data), values)
        else:
            self._receive_events(self._frames.feed(data), values)
        if self._frames.error is not None and self._open():
            self.state = State.CLOSED
            values.append(self._frames.error)
        return values

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return self._frames.partial

    def _open(self) -> bool:
        return self.state is not State.CLOSED

    def receive_eof(self) -> RemoteProtocolError | None:
        """The peer sends no more; an error where that was in the middle of a frame."""
        if self.state is State.CLOSED:
            return None
        self.state = State.CLOSED
        return self._frames.feed_eof()

    def _receive_requests(
        self, frames: list[bytes], values: list[Struct | RemoteProtocolError]
    ) -> None:
        allowed = ALLOWED[self.state]
        requests = codec.decode_requests(frames)
        if requests is not None and allowed.issuperset(map(type, requests)):
            values += requests
            return
        decode = codec.decode_request
        for frame in frames:
            try:
                request = decode(frame)
            except RemoteProtocolError as error:
                values.append(error)
                if error.closes:
                    self.state = State.CLOSED
                    return
                continue
            if type(request) in allowed:
                values.append(request)
            else:
                name = type(request).__struct_config__.tag
                values.append(
                    RemoteProtocolError(f"{name}: {self._expected()}", "bad_state", request.id)
                )

    def _expected(self) -> str:
        if self.state is State.READY:
            return "you are logged in already"
        return "log in first" if self.state is State.GREETED else "say hello first"

    def _receive_events(
        self, frames: list[bytes], values: list[Struct | RemoteProtocolError]
    ) -> None:
        decode = codec.decode_event
        for frame in frames:
            try:
                value: Struct = decode(frame)
                if type(value) is Ok:
                    value = self._reply(frame, value)
                elif type(value) is Error:
                    self._error(value)
            except RemoteProtocolError as error:
                if error.code == "unknown_type":
                    continue  # a later version's: clients ignore it
                values.append(error)
                if error.closes:
                    self.state = State.CLOSED
                    return
                continue
            values.append(value)
            self.state = MOVES.get((self.state, type(value)), self.state)
            if self.state is State.CLOSED:
                return

    def _reply(self, frame: bytes | memoryview, head: Ok) -> Struct:
        request = self._asked.pop(head.id, None)
        if request is None:
            raise RemoteProtocolError(f"a reply to no request ({head.id})", "bad_state", head.id)
        cls = messages.REPLIES[request]
        return head if cls is Ok else codec.decode_reply(frame, cls)

    def _error(self, error: Error) -> None:
        if error.id is not None and self._asked.pop(error.id, None) is None:
            raise RemoteProtocolError(
                f"an error for no request ({error.id})", "bad_state", error.id
            )
        known = CODES.get(error.code)
        if error.id is None or (known is not None and known.closes):
            self.state = State.CLOSED

    def send(self, message: Struct) -> bytes:
        """The frame for a message. Raises LocalProtocolError for what may not be sent now."""
        cls = type(message)
        if self.state is State.CLOSED:
            raise LocalProtocolError(f"{cls.__name__} after the end", "bad_state")
        data = codec.encode(message)
        if len(data) - HEADER > LIMIT:
            raise LocalProtocolError(f"{cls.__name__} of {len(data)} bytes", "too_long")
        if self.role is Role.CLIENT:
            self._ask(message)
        else:
            self._tell(message)
        return data

    def _ask(self, message: Struct) -> None:
        cls = type(message)
        if cls not in ALLOWED[self.state]:
            raise LocalProtocolError(f"{cls.__name__} in state {self.state.name}", "bad_state")
        request: int = message.id  # type: ignore[attr-defined]
        if request in self._asked:
            raise LocalProtocolError(f"the id {request} is in use", "bad_state")
        self._asked[request] = cls

    def _tell(self, message: Struct) -> None:
        if type(message) in messages.REPLIES:
            raise LocalProtocolError("a server makes no requests", "bad_state")
        if isinstance(message, Error):
            if message.code not in CODES:
                raise LocalProtocolError(f"the unknown code {message.code!r}", "bad_field")
            if message.id is None or CODES[message.code].closes:
                self.state = State.CLOSED
            return
        self.state = MOVES.get((self.state, type(message)), self.state)
        if self.state is State.READY:
            self._frames.limit = LIMIT
