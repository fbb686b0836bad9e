"""The transition tables that the code runs on: complete, connected, and beginning where the database begins."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from topcoin.adjustments.domain import ADJUSTMENT_TRANSITIONS, AdjustmentStatus
from topcoin.compliance.domain import ALERT_TRANSITIONS, AlertStatus
from topcoin.custody.domain import DEPOSIT_TRANSITIONS, WITHDRAWAL_TRANSITIONS, DepositStatus, WithdrawalStatus
from topcoin.entrypoints.tables import metadata
from topcoin.identity.domain import KYC_REVIEWED, KYC_TRANSITIONS, KycStatus
from topcoin.support.domain import TICKET_TRANSITIONS, TicketStatus
from topcoin.trading.domain import (
    LIVE_ORDERS,
    ORDER_TRANSITIONS,
    POSITION_TRANSITIONS,
    OrderStatus,
    PositionStatus,
)

Transitions = Mapping[StrEnum, frozenset[StrEnum]]

each_table = pytest.mark.parametrize(
    ("column", "transitions", "ends"),
    [
        ("users.kyc_status", KYC_TRANSITIONS, set[KycStatus]()),
        (
            "admin_adjustments.status",
            ADJUSTMENT_TRANSITIONS,
            {AdjustmentStatus.APPROVED, AdjustmentStatus.REJECTED, AdjustmentStatus.EXPIRED},
        ),
        ("deposits.status", DEPOSIT_TRANSITIONS, {DepositStatus.RETURNED, DepositStatus.REFUNDED}),
        (
            "withdrawals.status",
            WITHDRAWAL_TRANSITIONS,
            {WithdrawalStatus.COMPLETED, WithdrawalStatus.REJECTED, WithdrawalStatus.CANCELLED},
        ),
        ("orders.status", ORDER_TRANSITIONS, set(OrderStatus) - LIVE_ORDERS),
        ("positions.status", POSITION_TRANSITIONS, {PositionStatus.CLOSED}),
        ("aml_alerts.status", ALERT_TRANSITIONS, {AlertStatus.RESOLVED}),
        ("support_tickets.status", TICKET_TRANSITIONS, {TicketStatus.CLOSED}),
    ],
)


def first_of(column: str) -> str:
    """The state that the database gives a row which names none."""
    table, _, name = column.partition(".")
    default = metadata.tables[table].columns[name].server_default
    return str(getattr(default, "arg", None))


@each_table
def test_every_state_is_reached_from_the_first_and_only_ends_end(
    column: str, transitions: Transitions, ends: set[StrEnum]
) -> None:
    kind = type(next(iter(transitions)))
    assert set(transitions) == set(kind)
    reached = {kind(first_of(column))}
    while following := set[StrEnum]().union(*(transitions[state] for state in reached)) - reached:
        reached |= following
    assert reached == set(kind)
    assert {state for state, following in transitions.items() if not following} == ends


@each_table
def test_no_state_follows_itself(column: str, transitions: Transitions, ends: set[StrEnum]) -> None:  # noqa: ARG001 - shared
    assert [state for state, following in transitions.items() if state in following] == []


def test_orders_end_as_the_design_says() -> None:
    assert set(OrderStatus) - LIVE_ORDERS == {
        OrderStatus.FILLED,
        OrderStatus.REJECTED,
        OrderStatus.CANCELLED,
        OrderStatus.EXPIRED,
        OrderStatus.REPLACED,
    }


def test_nobody_is_reviewed_without_a_submission() -> None:
    assert not KYC_TRANSITIONS[KycStatus.NOT_SUBMITTED] & KYC_REVIEWED


@pytest.mark.parametrize(
    ("state", "following"),
    [
        (DepositStatus.CONFIRMED, DepositStatus.PENDING),
        (DepositStatus.EXPIRED, DepositStatus.CONFIRMED),
        (DepositStatus.PARTIALLY_PAID, DepositStatus.CONFIRMED),
    ],
)
def test_a_deposit_never_goes_backwards_nor_past_review(state: DepositStatus, following: DepositStatus) -> None:
    assert following not in DEPOSIT_TRANSITIONS[state]


def test_a_customer_cancels_a_withdrawal_only_while_it_is_pending() -> None:
    assert [
        state for state, following in WITHDRAWAL_TRANSITIONS.items() if WithdrawalStatus.CANCELLED in following
    ] == [WithdrawalStatus.PENDING]
