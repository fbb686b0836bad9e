"""Kinds and states of orders and positions, and which states may follow which. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class OrderSide(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """When and at what price an order may fill."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """How long an order stands."""

    GTC = "gtc"
    """Good till cancelled."""
    DAY = "day"
    """Until the session ends."""
    IOC = "ioc"
    """What does not fill at once is cancelled."""
    FOK = "fok"
    """Fills whole at once, or not at all."""
    GTD = "gtd"
    """Good till a time."""


class TriggerPrice(StrEnum):
    """Which price sets off a stop; fills always use the natural side."""

    NATURAL = "natural"
    """The ask for a buy, the bid for a sell."""
    BID = "bid"
    ASK = "ask"
    MID = "mid"
    LAST = "last"


class OrderStatus(StrEnum):
    """How far an order has come."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    TRIGGERED = "triggered"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REPLACED = "replaced"


_ENDS_OF_A_LIVE_ORDER: Final = frozenset({OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REPLACED})

ORDER_TRANSITIONS: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = MappingProxyType(
    {
        OrderStatus.PENDING: frozenset({OrderStatus.ACCEPTED, OrderStatus.REJECTED}),
        OrderStatus.ACCEPTED: _ENDS_OF_A_LIVE_ORDER
        | {OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED},
        OrderStatus.TRIGGERED: _ENDS_OF_A_LIVE_ORDER | {OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED},
        # A further partial fill leaves the state as it is.
        OrderStatus.PARTIALLY_FILLED: _ENDS_OF_A_LIVE_ORDER | {OrderStatus.FILLED},
        OrderStatus.FILLED: frozenset(),
        OrderStatus.REJECTED: frozenset(),
        OrderStatus.CANCELLED: frozenset(),
        OrderStatus.EXPIRED: frozenset(),
        OrderStatus.REPLACED: frozenset(),
    }
)

LIVE_ORDERS: Final = frozenset(status for status, following in ORDER_TRANSITIONS.items() if following)
"""The states in which something may still happen to an order; the engine rebuilds its books from these."""


class PositionSide(StrEnum):
    """Which way a position profits: long from rising prices, short from falling ones."""

    LONG = "long"
    SHORT = "short"


class PositionStatus(StrEnum):
    """Whether a position still follows the market."""

    OPEN = "open"
    CLOSED = "closed"


POSITION_TRANSITIONS: Final[Mapping[PositionStatus, frozenset[PositionStatus]]] = MappingProxyType(
    {PositionStatus.OPEN: frozenset({PositionStatus.CLOSED}), PositionStatus.CLOSED: frozenset()}
)
