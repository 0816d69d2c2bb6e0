"""The transport of a plain socket: bytes go to the kernel at once, or wait here.

asyncio's own transports would do; this one lends its socket, so that a room may send a batch to a
thousand of them in a loop of `send` alone (`fanout/room`). So it promises what theirs don't: while
`get_write_buffer_size()` is 0, what is sent to the socket follows what was written before;
`pause_writing` is called as soon as a byte has to wait; and the socket stays open until
`connection_lost` was called. It is read by one `recv` a turn of the loop, so that nobody waits for
somebody's flood.
"""

import asyncio
import socket
from typing import Any

__all__ = ["Stream"]


class Stream(asyncio.Transport):
    """An asyncio transport of a connected, non-blocking stream socket, which it owns."""

    __slots__ = (
        "_closing",
        "_eof",
        "_fd",
        "_loop",
        "_lost",
        "_protocol",
        "_reading",
        "_rest",
        "_sock",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        protocol: asyncio.BufferedProtocol,
    ) -> None:
        """Calls `connection_made`, then reads."""
        super().__init__()
        self._sock = sock
        self._loop = loop
        self._fd = sock.fileno()
        self._protocol = protocol
        self._rest: bytes | memoryview = b""
        """Bytes that the kernel did not take."""
        self._closing = self._eof = self._lost = False
        self._reading = True
        protocol.connection_made(self)
        if self._reading:
            self._watch()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`socket`, or `sink`: the same, to which others may send while nothing waits here."""
        return self._sock if name in ("socket", "sink") else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """There is one protocol. Raises NotImplementedError."""
        raise NotImplementedError

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    # --- reading ----------------------------------------------------------------------

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        if not self._reading and not self._closing:
            self._reading = True
            self._watch()

    def _watch(self) -> None:
        try:
            self._loop.add_reader(self._fd, self._readable)
        except OSError as error:  # the kernel watches no more than it watches
            self._lose(error)

    def _readable(self) -> None:
        try:
            self._read()
        except Exception as error:  # the protocol's: what it has read is not to be trusted
            self._loop.call_exception_handler(
                {"message": "reading failed", "exception": error, "transport": self}
            )
            self._lose(error)

    def _read(self) -> None:
        try:
            size = self._sock.recv_into(self._protocol.get_buffer(-1))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if size:
            self._protocol.buffer_updated(size)
            return
        self.pause_reading()
        if not self._protocol.eof_received():
            self.close()

    # --- writing ----------------------------------------------------------------------

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing to set: one waiting byte pauses, none resumes."""

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """(low, high)."""
        return 0, 0

    def get_write_buffer_size(self) -> int:
        return len(self._rest)

    def write(self, data: Any) -> None:
        if self._closing or self._eof or not data:
            return
        if self._rest:
            self._rest = memoryview(bytes(self._rest) + data)
            return
        sent = self._send(data)
        if sent < len(data) and not self._lost:
            self._rest = memoryview(data)[sent:]
            try:
                self._loop.add_writer(self._fd, self._writable)
            except OSError as error:
                self._lose(error)
                return
            self._protocol.pause_writing()

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._lose(error)
            return 0

    def _writable(self) -> None:
        sent = self._send(self._rest)  # which may drop it
        self._rest = self._rest[sent:]
        if self._rest or self._lost:
            return
        self._loop.remove_writer(self._fd)
        if self._eof:
            self._shut_down()
        if self._closing:
            self._lose(None)
        elif not self._eof:
            self._protocol.resume_writing()

    # --- the end ----------------------------------------------------------------------

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """What waits is sent, then the peer is told that there will be no more."""
        if self._eof or self._lost:
            return
        self._eof = True
        if not self._rest:
            self._shut_down()

    def _shut_down(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:  # the peer is gone already
            self._lose(error)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Sends what waits, then closes."""
        if self._closing:
            return
        self.pause_reading()
        self._closing = True
        if not self._rest:
            self._lose(None)

    def abort(self) -> None:
        """Closes without sending what waits."""
        self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        if self._lost:
            return
        self.pause_reading()
        self._closing = self._lost = True
        self._loop.remove_writer(self._fd)
        self._rest = b""
        self._loop.call_soon(self._end, error)

    def _end(self, error: Exception | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            self._sock.close()
