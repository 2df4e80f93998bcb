"""Messages over a socket: 4 bytes of length, big-endian, then as many bytes of `autograder.checks.encoding`."""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Callable

_CHUNK = 2**20

LOOK_SECONDS = 0.25
"""Seconds between calls of `look` while waiting for a message."""


class Closed(Exception):
    """The other side closed the connection, or does not speak this protocol."""


def send(connection: socket.socket, message: bytes, seconds: float = math.inf) -> None:
    """Send one message.

    Raises:
        TimeoutError: the other side did not take it in time.
        Closed: it is gone.
    """
    _set_timeout(connection, time.monotonic() + seconds)
    try:
        connection.sendall(struct.pack(">I", len(message)) + message)
    except TimeoutError:
        raise
    except OSError as error:
        raise Closed(str(error)) from error


def receive(connection: socket.socket, seconds: float = math.inf, look: Callable[[], None] | None = None) -> bytes:
    """The next whole message. `seconds` is for all of it: sending byte by byte gains no time.

    Args:
        look: called repeatedly while waiting; its exceptions end the waiting.

    Raises:
        TimeoutError: it did not arrive in time.
        Closed: the connection is closed, or the announced message is too long.
    """
    from autograder.checks.values import MAX_BYTES  # imports NumPy, which nobody waits for who starts a warm parent

    deadline = time.monotonic() + seconds
    (length,) = struct.unpack(">I", _exactly(connection, 4, deadline, look))
    if length > MAX_BYTES:
        raise Closed(f"a message of {length} bytes")
    return _exactly(connection, length, deadline, look)


def _exactly(connection: socket.socket, size: int, deadline: float, look: Callable[[], None] | None) -> bytes:
    received = bytearray()
    next_look = time.monotonic() + LOOK_SECONDS if look else math.inf
    while len(received) < size:
        if look and time.monotonic() >= next_look:
            look()
            next_look = time.monotonic() + LOOK_SECONDS
        try:
            _set_timeout(connection, min(deadline, next_look))
            chunk = connection.recv(min(size - len(received), _CHUNK))
        except TimeoutError:
            if time.monotonic() >= deadline:
                raise
            continue
        except OSError as error:
            raise Closed(str(error)) from error
        if not chunk:
            raise Closed("end of stream")
        received += chunk
    return bytes(received)


def _set_timeout(connection: socket.socket, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(None if math.isinf(left) else left)
