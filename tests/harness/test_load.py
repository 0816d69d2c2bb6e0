"""The load of benchmarks/fanout.py, over TLS and without: everybody gets everything."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import load
from benchmarks.peer import Step
from benchmarks.peers import HELLO, TWINS, Ipcchat
from harness.shim import NoCompiler, NoLibrary, compile_program

CELL = load.Cell("small", 3, window=8, seconds=0.3)
PEERS = [peer for peer in TWINS if peer.name.startswith("memory")]


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> load.Generators:
    try:
        return load.compile_generators(tmp_path_factory.mktemp("made"), dialing=True)
    except (NoCompiler, NoLibrary) as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def processors() -> Iterator[None]:
    mine = os.sched_getaffinity(0) if sys.platform == "linux" else set()
    yield
    if mine:
        assert os.sched_getaffinity(0) == mine


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_member_gets_every_message(
    peer: Ipcchat, generators: load.Generators, tmp_path: Path
) -> None:
    figures, cipher = load.dialed_turn(peer, CELL, generators.fanout, tmp_path)
    assert figures.lacking == 0
    assert figures.messages_per_s > 0
    assert figures.us_per_delivery > 0
    assert cipher.startswith("TLSv1.3 ") if peer.tls else cipher == "none"


def test_a_refused_request_ends_the_generator_with_the_servers_words(
    generators: load.Generators, tmp_path: Path
) -> None:
    class Wrong(Ipcchat):
        def script(self, number: int, sender: bool) -> list[Step]:
            login = b'{"type":"login","id":2,"method":"secret","nick":"ann","secret":"no"}'
            return [HELLO, Step(len(login).to_bytes(4, "big") + login, b'{"type":"ok"')]

    with pytest.raises(RuntimeError, match=r"connection \d+: .*32 lower-case hexadecimal digits"):
        load.dialed_turn(Wrong("memory", memory=True, tls=True), CELL, generators.fanout, tmp_path)


def test_a_missing_library_is_named_with_what_to_install(tmp_path: Path) -> None:
    source = Path(load.__file__).with_name("handshakes.c")
    try:
        with pytest.raises(NoLibrary, match=r"needs libnowhere\.so\.3: install nowhere$"):
            compile_program(source, tmp_path, libraries={"libnowhere.so.3": "nowhere"})
    except NoCompiler as error:
        pytest.skip(str(error))
