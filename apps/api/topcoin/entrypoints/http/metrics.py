"""`/metrics`: what Prometheus scrapes. For whoever runs the installation; a proxy in front keeps it to itself."""

from collections.abc import Iterator
from typing import Final, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from sqlalchemy import QueuePool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from topcoin.http.middleware import Exchange
from topcoin.http.resources import Resources, resources_of
from topcoin.http.routing import Router
from topcoin.kernel.access import Access, ActorKind

router: Final = Router(base="", tags=["operating"])

_OPERATOR: Final = Access(actors=frozenset({ActorKind.OPERATOR}))
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# Both are cheap whatever the size of the ledger: statistics of the planner, and the end of an index.
_LEDGER: Final = text(
    "SELECT (SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = to_regclass('ledger_entries')) AS entries,"
    " (SELECT extract(epoch FROM max(created_at)) FROM ledger_entries) AS last_entry"
)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Metrics:
    """The figures of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "topcoin_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "topcoin_http_request_seconds",
            "How long requests took.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "topcoin_http_requests_in_flight", "Requests being carried out.", registry=self.registry
        )
        self._connections = Gauge(
            "topcoin_database_connections", "Connections to the database.", ["role", "state"], registry=self.registry
        )
        self._database_up = Gauge("topcoin_database_up", "Whether the database answers.", registry=self.registry)
        self._entries = Gauge(
            "topcoin_ledger_entries", "Entries of the ledger, as the planner estimates them.", registry=self.registry
        )
        self._last_entry = Gauge(
            "topcoin_ledger_last_entry_timestamp_seconds", "When the last entry was made.", registry=self.registry
        )

    def begin(self) -> None:
        """Count a request that begins."""
        self._in_flight.inc()

    def observe(self, exchange: Exchange) -> None:
        """Count a request that is over."""
        self._in_flight.dec()
        self._requests.labels(exchange.method, exchange.route, exchange.status).inc()
        self._seconds.labels(exchange.method, exchange.route).observe(exchange.seconds)

    async def scrape(self, resources: Resources) -> bytes:
        """All figures, as text; those of the database only where it answers."""
        for role, state, count in _connections(resources):
            self._connections.labels(role, state).set(count)
        try:
            async with resources.autocommit_sessions() as session:
                ledger = (await session.execute(_LEDGER)).one()
        except (DBAPIError, PoolTimeout) as error:
            log.warning("metrics_without_database", error=type(error).__name__)
            self._database_up.set(0)
        else:
            self._database_up.set(1)
            self._entries.set(ledger.entries)
            self._last_entry.set(float(ledger.last_entry or 0))
        return generate_latest(self.registry)


def _connections(resources: Resources) -> Iterator[tuple[str, str, int]]:
    """The role, the state and the number of connections in the pools."""
    engines: dict[str, AsyncEngine] = {"app": resources.engine, "read": resources.read_engine}
    for role, engine in engines.items():
        pool = cast("QueuePool", engine.pool)
        yield role, "in_use", pool.checkedout()
        yield role, "idle", pool.checkedin()


@router.get("/metrics", access=_OPERATOR, errors=[], response_class=Response, include_in_schema=False)
async def read_metrics(request: Request) -> Response:
    """The figures of this process, and of the ledger."""
    metrics = cast("Metrics", request.app.state.metrics)
    return Response(await metrics.scrape(resources_of(request)), media_type=CONTENT_TYPE_PLAIN_1_0_0)
