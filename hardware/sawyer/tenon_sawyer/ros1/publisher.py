"""The publishing end of a topic: one connection per subscriber, none of which can hold the publisher up."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

from tenon_sawyer.ros1.messages import Message, encode
from tenon_sawyer.ros1.wire import WireError, describe, encode_header, frame, hang_up

ANY_MD5 = "*"
_DISCARD = struct.pack("ii", 1, 0)


class _Link:
    """A subscriber's connection. What does not fit its buffer is dropped, so that nothing old is delivered late."""

    def __init__(self, connection: socket.socket, peer: str) -> None:
        self._connection = connection
        self.peer = peer
        self._rest = b""
        self.dropped = 0

    def send(self, data: bytes) -> None:
        """Raises OSError when the subscriber is gone."""
        if self._rest:  # a message that is half out must be finished first, or the stream is garbage
            self._rest = self._rest[self._push(self._rest) :]
        if self._rest:
            self.dropped += 1
            return
        sent = self._push(data)
        if sent == 0:
            self.dropped += 1
        elif sent < len(data):
            self._rest = data[sent:]

    def wait_for_hang_up(self) -> None:
        """Returns when the subscriber closes; it never sends anything."""
        with contextlib.suppress(OSError):
            while self._connection.recv(1024):
                pass

    def close(self) -> None:
        hang_up(self._connection)

    def abort(self) -> None:
        """Ends without delivering what is still under way: wakes the thread that waits, which closes at once."""
        with contextlib.suppress(OSError):
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
            self._connection.shutdown(socket.SHUT_RD)

    def _push(self, data: bytes) -> int:
        try:
            return self._connection.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0


class Publisher:
    """Publishes one type on one topic. latch: whoever subscribes later gets the last message.

    buffer_bytes: of each subscriber's socket. Small for commands: what a robot does not take at once, it shall not
    find hours later when its cable is back.
    """

    def __init__(
        self,
        topic: str,
        kind: type[Message],
        caller: str,
        *,
        latch: bool = False,
        buffer_bytes: int | None = None,
        on_close: Callable[[Publisher], None] = lambda _: None,
    ) -> None:
        self.topic, self.kind, self.latch = topic, kind, latch
        self._caller = caller
        self._buffer_bytes = buffer_bytes
        self._on_close = on_close
        self._lock = threading.Lock()
        self._links: list[_Link] = []
        self._last: bytes | None = None
        self._sequence = 0
        self._closed = False

    @property
    def connections(self) -> int:
        """How many subscribers are connected."""
        return len(self._links)

    @property
    def dropped(self) -> int:
        """Messages that the subscribers connected now were too slow for."""
        return sum(link.dropped for link in list(self._links))

    def publish(self, message: Message) -> None:
        """Sends a message to all subscribers and never waits for any. Numbers its header, as rospy does.

        Raises SerializationError for a value that does not fit its field; nothing is sent then.
        """
        with self._lock:
            header = getattr(message, "header", None)
            if header is not None:
                self._sequence = (self._sequence + 1) & 0xFFFFFFFF
                header.seq = self._sequence
            if not (self._links or self.latch):
                return
            data = frame(encode(message))
            self._last = data
            for link in list(self._links):
                try:
                    link.send(data)
                except OSError:
                    self._links.remove(link)
                    link.close()

    def serve(self, connection: socket.socket, header: dict[str, str]) -> None:
        """Answers a subscriber's handshake and keeps it until it hangs up. Raises WireError for one of another type."""
        asked = header.get("md5sum", "")
        if asked not in (ANY_MD5, self.kind._md5sum):
            raise WireError(
                f"topic {self.topic} is {self.kind._type} with md5 {self.kind._md5sum}, "
                f"{header.get('callerid')} wants {header.get('type')} with md5 {asked}"
            )
        if self._buffer_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffer_bytes)
        link = _Link(connection, header.get("callerid", "?"))
        answer = {
            "callerid": self._caller,
            "latching": "1" if self.latch else "0",
            "message_definition": self.kind._full_text,
            "topic": self.topic,
            **describe(self.kind),
        }
        connection.sendall(encode_header(answer))
        with self._lock:
            if self._closed:
                raise WireError(f"{self.topic} is not published any more")
            if self.latch and self._last is not None:
                connection.sendall(self._last)
            connection.settimeout(None)  # from now on nothing waits: sends return at once, only the hang-up is awaited
            self._links.append(link)
        link.wait_for_hang_up()
        with self._lock:
            if link in self._links:
                self._links.remove(link)

    def abort(self) -> None:
        """Hangs up on all subscribers, who lose what is still under way and will connect anew."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.abort()

    def close(self) -> None:
        """Hangs up on all subscribers for good."""
        with self._lock:
            self._closed = True
            links, self._links = self._links, []
        for link in links:
            link.close()
        self._on_close(self)
