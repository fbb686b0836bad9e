"""`topcoin serve`: the HTTP service, until it is asked to stop; what it has begun by then, it finishes."""

import errno
import json
import os
import signal
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Final

import typer

from topcoin.kernel.errors import Conflict, Invalid

if TYPE_CHECKING:
    from types import FrameType

    from uvicorn import Config

    from topcoin.infra.settings import Settings

_GRACE_SECONDS: Final = 35
"""How long a stop waits for requests; a little more than one may take."""

_KEEP_ALIVE_SECONDS: Final = 20
_BACKLOG: Final = 2048


class PortTaken(Conflict):
    """Another program listens where we should."""

    code = "port_taken"


class AddressUnusable(Invalid):
    """The address is none of this machine's, or may not be used."""

    code = "address_unusable"


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Where to listen; TOPCOIN_HTTP_HOST by default.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="TOPCOIN_HTTP_PORT by default; 0 for any that is free.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs, one line, when it listens.")] = False,
) -> None:
    """Serve the API until Ctrl-C or SIGTERM. Behind a proxy, which ends TLS, in production."""
    from topcoin.infra.settings import current_settings  # noqa: PLC0415 - pydantic is slow to import

    settings = current_settings()
    bound_to = settings.http_host if host is None else host
    with closing(listen(bound_to, settings.http_port if port is None else port)) as listener:
        _serve(settings, listener, as_json=as_json)


def _serve(settings: "Settings", listener: socket.socket, *, as_json: bool) -> None:
    from uvicorn import Server  # noqa: PLC0415 - slow to import

    from topcoin.infra.database.connect import running_database  # noqa: PLC0415 - likewise
    from topcoin.infra.logging import configure_logging  # noqa: PLC0415 - likewise

    class AnnouncingServer(Server):
        """Says where it listens once it does."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _announce(listener, as_json=as_json)

    configure_logging(as_json=settings.is_production)
    # The server hands signals on when it has stopped; by default they would then kill us, with the database running.
    for handled in (signal.SIGINT, signal.SIGTERM):
        signal.signal(handled, _stay_alive)
    with running_database(settings):
        AnnouncingServer(_server_config(settings)).run(sockets=[listener])


def _stay_alive(number: int, frame: "FrameType | None") -> None:
    """Let a signal pass that the server has heeded already."""


def _server_config(settings: "Settings") -> "Config":
    from uvicorn import Config  # noqa: PLC0415 - slow to import

    from topcoin.entrypoints.http.app import create_app  # noqa: PLC0415 - likewise

    return Config(
        create_app(settings),
        # Our own: see infra.logging.
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        # Who the client is, is believed of nobody unless the settings name them.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises PortTaken, AddressUnusable."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressUnusable(
            f"cannot listen on {host}: {error.strerror or error}; name an address of this machine"
        ) from None
    try:
        # Lets us come back at once after a stop; it does not let two programs share the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"port {port} of {host} is taken by another program: stop that, or choose another with --port or "
                "TOPCOIN_HTTP_PORT"
            ) from None
        raise AddressUnusable(f"cannot listen on port {port} of {host}: {error.strerror}; choose another") from None
    return listener


def _announce(listener: socket.socket, *, as_json: bool) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    typer.echo(json.dumps({"url": url, "process_id": os.getpid()}) if as_json else f"TopCoin listens on {url}")
