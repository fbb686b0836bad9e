"""A proxy between a client and PostgreSQL, which loses connections at the messages that a test names.

It understands as much of the protocol as that takes: the start-up message has a length and no type; every other has
both, in either direction.
"""

import asyncio
import shutil
import struct
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from psycopg.conninfo import conninfo_to_dict

_SOCKET = ".s.PGSQL.5432"
_READY_FOR_QUERY = b"Z"


class Lost(Enum):
    """What gets lost."""

    MESSAGE = auto()
    """The message, and the connection with it: the server never hears of it."""
    ANSWER = auto()
    """The server has done what it was told, and its answer gets lost with the connection."""


Message = tuple[bytes, bytes]
"""The type, a letter, and the content."""


def is_query(text: str) -> Callable[[Message], bool]:
    """Whether a message is this simple query: psycopg sends BEGIN, COMMIT and ROLLBACK so."""
    return lambda message: message == (b"Q", text.encode() + b"\0")


def mentions(text: str) -> Callable[[Message], bool]:
    """Whether a message parses a statement with this text."""
    return lambda message: message[0] == b"P" and text.encode() in message[1]


@dataclass(slots=True)
class _Fault:
    at: Callable[[Message], bool]
    lost: Lost
    times: int


@dataclass(slots=True)
class _Connection:
    client_reader: asyncio.StreamReader
    client: asyncio.StreamWriter
    server_reader: asyncio.StreamReader
    server: asyncio.StreamWriter
    loses_answer: bool = False

    def cut(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


@dataclass(slots=True)
class Proxy:
    """Use as an async context manager; clients connect to `url`."""

    upstream: str
    """The libpq URL of the server, by its Unix socket."""
    cuts: int = 0
    """How many connections have been lost."""
    _folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="topcoin-proxy-")))
    _faults: list[_Fault] = field(default_factory=list[_Fault])
    _server: asyncio.Server | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    @property
    def url(self) -> str:
        """The libpq URL by which the server is reached through the proxy."""
        found = conninfo_to_dict(self.upstream)
        query = urlencode({"host": str(self._folder), "user": str(found["user"])}, safe="/")
        return f"postgresql:///{found['dbname']}?{query}"

    def lose(self, lost: Lost, at: Callable[[Message], bool], *, times: int = 1) -> None:
        """Lose the connections that carry the next such messages."""
        self._faults.append(_Fault(at, lost, times))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._accept, self._folder / _SOCKET)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        shutil.rmtree(self._folder)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        path = Path(str(conninfo_to_dict(self.upstream)["host"])) / _SOCKET
        connection = _Connection(reader, writer, *await asyncio.open_unix_connection(path))
        with _until_closed(connection):
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._to_server(connection))
                pumps.create_task(self._to_client(connection))

    async def _to_server(self, connection: _Connection) -> None:
        start_up = await connection.client_reader.readexactly(4)
        rest = await connection.client_reader.readexactly(struct.unpack("!I", start_up)[0] - 4)
        connection.server.write(start_up + rest)
        while True:
            message = await _read(connection.client_reader)
            fault = next((fault for fault in self._faults if fault.times and fault.at(message)), None)
            if fault is not None:
                fault.times -= 1
                self.cuts += 1
                if fault.lost is Lost.MESSAGE:
                    raise ConnectionAbortedError
                connection.loses_answer = True
            await _write(connection.server, message)

    async def _to_client(self, connection: _Connection) -> None:
        while True:
            message = await _read(connection.server_reader)
            if not connection.loses_answer:
                await _write(connection.client, message)
            elif message[0] == _READY_FOR_QUERY:
                raise ConnectionAbortedError


@contextmanager
def _until_closed(connection: _Connection) -> Generator[None]:
    """Either side may hang up, and then so do we."""
    try:
        yield
    except* (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        connection.cut()


async def _read(reader: asyncio.StreamReader) -> Message:
    head = await reader.readexactly(5)
    return head[:1], await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)


async def _write(writer: asyncio.StreamWriter, message: Message) -> None:
    kind, content = message
    writer.write(kind + struct.pack("!I", len(content) + 4) + content)
    await writer.drain()
