"""The delivery contract holds in every state that can be reached, one hand-made step at a time.

`tests.world` says what is real here, and looks at the contract after each step; at the end of each
life everybody is let through, and has everything.
"""

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from msgspec import Struct
from tests.journal.test_apply import BEGINNING, drafts, split
from tests.world import POISON, ROOMS, Client, Disk, World, plain, rebuilt

from ipcchat.journal.apply import decide
from ipcchat.journal.drafts import Draft
from ipcchat.journal.state import Overlay, State
from ipcchat.wire import messages

WHO = st.integers(0, 3)
ROOM = st.sampled_from(ROOMS)
BYTES = st.sampled_from((1 << 16, 1, 3, 50, 200, 500))
TEXT = st.sampled_from(("hi", "a line of more words " * 8, "", POISON))


class Contract(RuleBasedStateMachine):
    """Four clients of three accounts in four rooms; everything that can go wrong does."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.asked: list[tuple[str, Struct]] = []
        """Who asked for which change, to ask for it again."""

    def client(self, index: int) -> Client:
        return self.world.clients[index]

    @initialize(online=st.sampled_from((True, True, True, False)))
    def begin(self, online: bool) -> None:
        if online:
            self.world.settle()

    # --- the wire ---------------------------------------------------------------------

    @rule(who=WHO)
    def dial(self, who: int) -> None:
        self.client(who).dial()

    @rule(who=WHO, down=st.booleans(), most=BYTES, turns=st.sampled_from((1000, 0, 1, 2)))
    def carry(self, who: int, down: bool, most: int, turns: int) -> None:
        client = self.client(who)
        if client.cable is not None and not (down and client.stopped):
            client.cable.carry(down, most)
        self.world.server.loop.turn(turns)
        client.loop.turn(turns)

    @rule()
    def flow(self) -> None:
        self.world.flow()

    @rule(who=WHO, down=BYTES, up=BYTES, noticed=st.booleans())
    def cut(self, who: int, down: int, up: int, noticed: bool) -> None:
        cable = self.client(who).cable
        if cable is not None:
            cable.carry(True, down)
            cable.carry(False, up)
            cable.cut()
            if noticed:
                cable.notice()
            self.client(who).loop.turn()

    @rule(who=WHO)
    def stop_reading(self, who: int) -> None:
        self.client(who).stopped = True

    @rule(who=WHO)
    def read_again(self, who: int) -> None:
        self.client(who).stopped = False

    @rule(seconds=st.sampled_from((0.05, 2.0, 700.0)))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(turns=st.integers(1, 4))
    def turn(self, turns: int) -> None:
        self.world.server.loop.turn(turns)

    # --- the journal ------------------------------------------------------------------

    @rule(fate=st.sampled_from(("durable", "durable", "full")))
    def commit(self, fate: str) -> None:
        self.world.server.journal.commit(fate)

    @rule(who=WHO, room=ROOM, count=st.integers(0, 12), fate=st.sampled_from(("lost", "stored")))
    def crash(self, who: int, room: int, count: int, fate: str) -> None:
        """While somebody's lines are being stored."""
        for _ in range(count):
            self.client(who).say(room, "hi")
            self.ask(who, messages.Say(0, room, self.world.draft(), "in a hurry"))
        self.world.flow()
        self.world.server.journal.commit(fate)
        self.world.crash()

    @rule(which=st.integers(0, 3))
    def page_comes(self, which: int) -> None:
        reads = self.world.server.journal.reads
        if reads:
            read = reads.pop(which % len(reads))
            if not read.done():
                read.set_result(None)

    @rule()
    def settle(self) -> None:
        self.world.settle()

    # --- what is said -----------------------------------------------------------------

    @rule(who=WHO, room=ROOM, text=TEXT, count=st.sampled_from((1, 2, 12)))
    def say(self, who: int, room: int, text: str, count: int) -> None:
        for _ in range(count):
            self.client(who).say(room, text)

    @rule(
        who=WHO,
        rooms=st.lists(ROOM, min_size=1, max_size=8),
        text=st.sampled_from(("hi", "x" * 150)),
        count=st.integers(1, 8),
        pages=st.booleans(),
        deaf=st.sets(WHO, max_size=2),
    )
    def talk(
        self, who: int, rooms: list[int], text: str, count: int, pages: bool, deaf: set[int]
    ) -> None:
        """A busy moment in which nothing goes wrong, but for those who do not read."""
        self.client(who).dial()
        for index in deaf - {who}:
            self.client(index).stopped = True
        for room in rooms:
            self.world.flow()
            for _ in range(count):
                self.ask(who, messages.Say(0, room, self.world.draft(), text))
            self.world.flow()
            self.world.server.journal.commit()
            if pages:
                self.world.pages()
        self.world.flow()

    @rule(who=WHO, room=ROOM, which=st.integers(1, 3), again=st.booleans())
    def give_up(self, who: int, room: int, which: int, again: bool) -> None:
        client = self.client(who)
        lines = [line for line in client.typed[room] if line.state == "failed"] if again else []
        lines = lines or client.typed[room]
        if lines:
            line = lines[-which % len(lines)]
            if again:
                client.retry(line)
            else:
                client.discard(line)

    def ask(self, who: int, request: Struct) -> None:
        client = self.client(who)
        self.asked.append((client.person, request))
        client.ask(request)

    @rule(who=WHO, room=ROOM, kind=st.sampled_from(("topic", "join", "part", "nick", "withdraw")))
    def change(self, who: int, room: int, kind: str) -> None:
        draft = self.world.draft()
        makers: dict[str, Struct] = {
            "topic": messages.Topic(0, draft, room, f"topic {draft[-1]}"),
            "join": messages.Join(0, draft, room=room),
            "part": messages.Part(0, draft, room),
            "nick": messages.Nick(0, draft, f"nick{room}"),
            "withdraw": messages.Withdraw(0, draft),
        }
        self.ask(who, makers[kind])

    @rule(
        which=st.integers(1, 20),
        device=st.integers(0, 1),
        way=st.sampled_from(("same", "same", "other words", "withdraw")),
    )
    def ask_again(self, which: int, device: int, way: str) -> None:
        """On whichever device of the same account."""
        if not self.asked:
            return
        person, request = self.asked[-which % len(self.asked)]
        draft: str = request.draft  # type: ignore[attr-defined]
        if way == "withdraw":
            request = messages.Withdraw(0, draft)
        elif way == "other words":
            request = messages.Say(0, 1, draft, "something else")
        devices = [client for client in self.world.clients if client.person == person]
        devices[device % len(devices)].ask(request)

    # --- subscriptions ----------------------------------------------------------------

    @rule(who=WHO, room=ROOM, unfollow=st.booleans())
    def follow_again(self, who: int, room: int, unfollow: bool) -> None:
        if unfollow:
            self.client(who).unfollow(room)
        else:
            self.client(who).follow(room)

    @rule(who=WHO, room=ROOM, count=st.integers(1, 20))
    def take(self, who: int, room: int, count: int) -> None:
        self.client(who).take(room, count)

    # --- what must be true ------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        try:
            self.world.end()
        finally:
            self.world.close()


TestContract = Contract.TestCase
TestContract.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    # Making a failure short takes minutes: add Phase.shrink for that.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def test_pages_of_many_rooms_wait_for_one_who_does_not_read() -> None:
    world = World()
    try:
        world.settle()
        deaf, other = world.clients[0], world.clients[3]
        assert deaf.cable is not None
        deaf.cable.cut()
        for room in ROOMS:
            for _ in range(12):
                other.ask(messages.Say(0, room, world.draft(), "x" * 150))
            world.flow()
            while world.server.journal.commit():
                world.flow()
        deaf.dial()
        world.flow()
        deaf.stopped = True
        for _ in range(20):
            world.pages()
            world.flow()
            world.check()
        world.end()
    finally:
        world.close()


@given(st.lists(drafts(), max_size=40), st.lists(st.integers(0, 40), max_size=8))
def test_a_rebuild_from_the_entries_is_the_live_state(asked: list[Draft], cuts: list[int]) -> None:
    disk, state = Disk(), State()
    for batch in split([*BEGINNING, *asked], cuts):
        overlay = Overlay(state)
        decisions = decide(overlay, batch, disk.outcomes.get)
        disk.store(batch, decisions, overlay)
        overlay.merge()
        assert plain(rebuilt(disk)) == plain(state)
