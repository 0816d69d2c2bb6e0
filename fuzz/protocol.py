"""Whatever a peer sends, in whatever state: either end gets values of the wire or
RemoteProtocolError, in order, and nothing is raised. A server is handed only requests that its
state allows, a client only replies to what it asked, of the type it asked for. The state never goes
back; after an error that closes there is nothing more. What may not be sent raises
LocalProtocolError, never anything else."""

import random
from typing import Any

from msgspec import Struct

from fuzz.payloads import dumps, frame, from_server, message, payload, request, spoil
from fuzz.target import Target, require
from ipcchat.errors import CODES, LocalProtocolError, RemoteProtocolError
from ipcchat.wire import messages
from ipcchat.wire.protocol import ALLOWED, Protocol, Role, State

__all__ = ["ProtocolTarget"]

Step = tuple[str, Any]
"""`bytes` with a chunk, `send` with a type and an id, or `eof`."""
Case = tuple[str, list[Step]]
"""The role, and what happens."""

_EVERY: tuple[type[Struct], ...] = (
    *messages.REPLIES,
    *messages.REPLIES.values(),
    *messages.EVENTS.values(),
    messages.Error,
)
_TYPES = {cls.__name__: cls for cls in _EVERY}
_SENT: dict[str, dict[str, Any]] = {
    "Hello": {"versions": [1]},
    "Login": {"method": "secret"},
    "HelloOk": {"version": 1, "epoch": "e", "nonce": "n", "methods": []},
    "LoginOk": {"account": 1, "nick": "ann"},
    "Say": {"room": 1, "draft": "0" * 32, "text": "hi"},
    "History": {"room": 1},
    "Rooms": {},
    "Ping": {},
    "Error": {"code": "busy"},
    "Bye": {"code": "shutdown"},
}
"""The least of the messages that are sent."""
_REQUESTS = ("Say", "History", "Rooms", "Ping", "Hello", "Login")


class ProtocolTarget(Target):
    name = "protocol"
    weight = 25

    def make(self, chance: random.Random) -> Case:
        role = chance.choice(("SERVER", "CLIENT"))
        steps = self._opening(role, chance)
        for _ in range(chance.randrange(1, 5)):
            if role == "SERVER":
                data = frame(payload(request(chance), chance), chance)
            else:
                if chance.random() < 0.5:
                    steps.append(("send", (chance.choice(_REQUESTS), chance.randrange(3, 6))))
                data = frame(payload(_answer(chance), chance), chance)
            if chance.random() < 0.1:
                data = spoil(data, chance)
            cut = chance.randrange(len(data) + 1)
            steps += [("bytes", data[:cut]), ("bytes", data[cut:])]
            if chance.random() < 0.05:
                steps.append(("send", (chance.choice([*_SENT]), chance.randrange(6))))
        if chance.random() < 0.3:
            steps.append(("eof", None))
        return role, steps

    def _opening(self, role: str, chance: random.Random) -> list[Step]:
        """What leads to a state, most often to the last one."""
        steps: list[Step] = []
        for number, ask, ok in ((1, "Hello", "HelloOk"), (2, "Login", "LoginOk")):
            if chance.random() < 0.15:
                break
            tag = ask.lower() if role == "SERVER" else "ok"
            fields = _SENT[ask if role == "SERVER" else ok]
            data = dumps({"type": tag, "id": number, **fields}, chance)
            said = ("bytes", len(data).to_bytes(4, "big") + data)
            sent = ("send", (ok if role == "SERVER" else ask, number))
            steps += (said, sent) if role == "SERVER" else (sent, said)
        return steps

    def check(self, case: Case) -> None:
        role, steps = case
        wire = Protocol(Role[role])
        asked: dict[int, type[Struct]] = {}
        ended = False
        for kind, what in steps:
            before = wire.state
            if kind == "eof":
                error = wire.receive_eof()
                require(error is None or before is not State.CLOSED, "two ends", error)
                ended = True
            elif kind == "send":
                self._send(wire, what, asked)
            else:
                values = wire.receive(what)
                require(not (ended and values), "values after the end", values)
                for index, value in enumerate(values):
                    last = index == len(values) - 1
                    ended |= self._value(wire, before, value, last=last, asked=asked)
            require(wire.state.value >= before.value, "back to an earlier state", before)
            ended |= wire.state is State.CLOSED
        if ended:
            require(wire.state is State.CLOSED, "not closed", wire.state)
            require(wire.receive(b"\0\0\0\x02{}") == [], "values after the end")

    def _send(self, wire: Protocol, what: tuple[str, int], asked: dict[int, type[Struct]]) -> None:
        name, number = what
        cls = _TYPES[name]
        fields = dict(_SENT[name])
        if "id" in cls.__struct_fields__:
            fields["id"] = number
        try:
            wire.send(cls(**fields))
        except LocalProtocolError:
            return
        if cls in messages.REPLIES:
            asked[number] = cls

    def _value(
        self, wire: Protocol, before: State, value: Any, *, last: bool, asked: dict[int, Any]
    ) -> bool:
        """Checks one value; true where it is the end."""
        if isinstance(value, RemoteProtocolError):
            require(value.code in CODES, "an unknown code", value.code)
            if value.closes:
                require(last, "something after an error that closes", value.text)
            return value.closes
        if wire.role is Role.SERVER:
            require(type(value) in ALLOWED[before], "not allowed in this state", value, before)
            return False
        if isinstance(value, messages.Error) and value.id is not None:
            require(asked.pop(value.id, None) is not None, "an error for no request", value)
        elif type(value) not in messages.EVENTS.values() and type(value) is not messages.Error:
            request = asked.pop(value.id, None)
            require(request is not None, "a reply to no request", value)
            require(messages.REPLIES[request] is type(value), "a reply of another type", value)
        return False


def _answer(chance: random.Random) -> dict[str, Any]:
    """What a server might say, often to one of the requests that are open."""
    if chance.random() < 0.4:
        return from_server(chance)
    cls = messages.REPLIES[_TYPES[chance.choice(_REQUESTS)]]
    made = message(cls if chance.random() < 0.8 else messages.Error, chance)
    return {**made, "id": chance.randrange(6)}
