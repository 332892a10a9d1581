"""Messages between the harness and a method's process: a JSON object and an array's bytes. Nothing is unpickled.

A frame is two lengths (unsigned 32 bit, network order), the JSON object, the bytes.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

LENGTHS = struct.Struct("!II")
LARGEST = 2**28  # bytes in an array; a teacher's answer to a million observations takes half of it
LONGEST = 2**20  # bytes in a JSON object
POLL_S = 0.25  # how often a wait checks whether to go on


class Closed(Exception):
    """The other end is gone."""


class Garbled(Exception):
    """The received bytes are not a message."""


class Channel:
    """One end of a socket. Both ends send one message at a time, in turn."""

    def __init__(self, connection: socket.socket):
        self._socket = connection

    def send(self, message: Mapping[str, Any], array: bytes = b"", waiting: Callable[[], None] | None = None) -> None:
        """waiting: called every quarter of a second while the other end does not read; raising in it ends the wait.

        Raises Closed.
        """
        content = json.dumps(message).encode()
        rest = memoryview(LENGTHS.pack(len(content), len(array)) + content + array)
        self._socket.settimeout(POLL_S if waiting else None)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except TimeoutError:
                if waiting:
                    waiting()
            except OSError as error:
                raise Closed(str(error)) from error

    def receive(self, waiting: Callable[[], None] | None = None) -> tuple[dict[str, Any], bytes]:
        """The next message. waiting: called every quarter of a second; raising in it ends the wait.

        Raises Closed, Garbled.
        """
        of_message, of_array = LENGTHS.unpack(self._exactly(LENGTHS.size, waiting))
        if of_message > LONGEST or of_array > LARGEST:
            raise Garbled(f"a message of {of_message} and {of_array} bytes")
        content, array = self._exactly(of_message, waiting), self._exactly(of_array, waiting)
        try:
            message = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise Garbled(f"not JSON: {error}") from error
        if not isinstance(message, dict):
            raise Garbled("not a JSON object")
        return message, bytes(array)

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, size: int, waiting: Callable[[], None] | None) -> bytearray:
        found, asked = bytearray(), time.monotonic()
        self._socket.settimeout(POLL_S if waiting else None)
        while len(found) < size:
            if waiting and time.monotonic() - asked > POLL_S:
                waiting()
                asked = time.monotonic()
            try:
                part = self._socket.recv(min(size - len(found), 2**20))
            except TimeoutError:
                continue
            except OSError as error:
                raise Closed(str(error)) from error
            if not part:
                raise Closed("the process has closed its end")
            found += part
        return found
