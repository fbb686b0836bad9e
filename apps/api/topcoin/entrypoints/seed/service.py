"""Puts the demo data in, through the services that there are; what is there already is left as it is.

All of it is one transaction, and two that seed at once wait for one another: the data are there as a whole or not at
all. What a package has no service for yet is written as a row, beside a comment that says what takes its place.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.audit.domain import Action, diff
from topcoin.audit.service import record
from topcoin.entrypoints.seed.domain import (
    ADMIN,
    CANDLES_END,
    CUSTOMER,
    MARKETS,
    OPENING,
    PEOPLE,
    PLANS,
    TREASURY,
    DemoMarket,
    DemoPlan,
    DemoUser,
    candles_csv,
    chain_linked,
    demo_marks,
    equity_curve,
)
from topcoin.entrypoints.tables import metadata
from topcoin.identity.passwords.service import hash_password
from topcoin.identity.roles.service import grant_role
from topcoin.identity.service import create_user
from topcoin.kernel.access import Actor, ActorKind
from topcoin.kernel.clock import ManualClock
from topcoin.kernel.ids import new_id
from topcoin.ledger.accounts.service import lock_figures, open_account
from topcoin.ledger.events import adjustments, deposits, house
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.posting.domain import Journal
from topcoin.ledger.posting.service import post
from topcoin.market.candle_files import read_candle_file
from topcoin.market.domain import InstrumentType, NewInstrument, Timeframe, usual_terms
from topcoin.market.service import aggregate_candles, create_instrument, import_candles

WALLET: Final = "Business deposits"
FUNDING: Final = Decimal(249_500)
DEPOSIT: Final = Decimal(500)
BTC_RATE: Final = Decimal(80_000)
ALLOCATION: Final = Decimal(9_500)
ALLOCATION_REASON: Final = "Initial virtual balance allocation"

ADJUST_BALANCE: Final = Action("adjust_balance", sensitive=True)
APPROVE_ADJUSTMENT: Final = Action("approve_adjustment", sensitive=True)

_ONE_AT_A_TIME: Final = 7_267_696_273
"""The advisory lock that whoever seeds holds: any number, but always the same."""
_CONSOLE: Final = Actor(ActorKind.OPERATOR)
_SEEDED_BY: Final = "demo data"
_PAYMENT_ID: Final = "4950000001"
_LARGER_TIMEFRAMES: Final = (Timeframe.H4, Timeframe.D1, Timeframe.W1)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the demo data, and whether it was made now, or was there."""

    name: str
    is_new: bool


async def seed_demo(session: AsyncSession) -> list[Part]:
    """Make what is missing of the demo data, in the caller's transaction."""
    await session.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
    parts: list[tuple[str, Callable[[AsyncSession], Awaitable[bool]]]] = [
        ("wallet", _fund_wallet),
        *((person.email, partial(_register, person=person)) for person in PEOPLE),
        ("demo account", _fill_account),
        *((market.symbol, partial(_list_market, market=market)) for market in MARKETS),
        *((f"{plan.name} plan", partial(_describe_plan, plan=plan)) for plan in PLANS),
    ]
    return [Part(name, await make(session)) for name, make in parts]


def _at(hours: int) -> ManualClock:
    """The clock at so many hours after the opening."""
    return ManualClock(OPENING + timedelta(hours=hours))


async def _insert(session: AsyncSession, table: str, **row: Any) -> None:  # noqa: ANN401 - values of columns
    await session.execute(insert(metadata.tables[table]).values(**row))


async def _find(session: AsyncSession, table: str, wanted: str = "id", **key: object) -> UUID | None:
    """A column of the row that has these values, if there is one."""
    columns = metadata.tables[table].c
    query = select(columns[wanted]).where(*(columns[name] == value for name, value in key.items())).limit(1)
    return await session.scalar(query)


async def _require(session: AsyncSession, table: str, wanted: str = "id", **key: object) -> UUID:
    """The same of a row that an earlier part has made."""
    found = await _find(session, table, wanted, **key)
    if found is None:
        msg = f"no row of {table} has {key}"
        raise LookupError(msg)
    return found


async def _post(session: AsyncSession, journal: Journal, at: datetime) -> None:
    (result,) = await post(session, [journal], now=at)
    result.unwrap()


# -- The wallet ------------------------------------------------------------------------------------------------------


async def _fund_wallet(session: AsyncSession) -> bool:
    """The wallet that deposits go to, with the operator's own money in it. Custody has no service for wallets yet."""
    if await _find(session, "wallets", name=WALLET) is not None:
        return False
    at = _at(0).now()
    wallet_id = new_id()
    await _insert(
        session,
        "wallets",
        id=wallet_id,
        wallet_type="business_deposit",
        name=WALLET,
        currency="usdttrc20",
        network="trx",
        created_at=at,
    )
    await _post(session, house.operator_funds_moved(wallet_id, "demo-funding", FUNDING), at)
    return True


async def _reconcile(session: AsyncSession, wallet_id: UUID, at: datetime) -> None:
    """Note that provider and books agree. Custody's reconciliation takes the place of this."""
    wallets = metadata.tables["wallets"]
    await session.execute(
        update(wallets)
        .where(wallets.c.id == wallet_id)
        .values(reconciliation_status="matched", last_reconciled_at=at, difference=0)
    )


# -- People ----------------------------------------------------------------------------------------------------------


async def _register(session: AsyncSession, person: DemoUser) -> bool:
    """Somebody to sign in as, with their roles; a customer's identification is approved at once."""
    if await _find(session, "user_email_claims", "user_id", email=person.email) is not None:
        return False
    clock = _at(1)
    user_id = await create_user(
        session,
        clock,
        email=person.email,
        display_name=person.name,
        hashed_password=hash_password(person.password),
        country=person.country,
    )
    for role in person.roles:
        await grant_role(session, clock, _CONSOLE, user_id=user_id, role=role, reason="One of the demo's two admins")
    if not person.roles:
        # A submission to onboarding takes the place of this.
        await _update_user(session, user_id, kyc_status="auto_approved", kyc_submitted_at=clock.now())
    return True


async def _update_user(session: AsyncSession, user_id: UUID, **changes: object) -> None:
    users = metadata.tables["users"]
    await session.execute(update(users).where(users.c.id == user_id).values(**changes))


async def _id_of(session: AsyncSession, person: DemoUser) -> UUID:
    return await _require(session, "user_email_claims", "user_id", email=person.email)


# -- The customer's account ------------------------------------------------------------------------------------------


async def _fill_account(session: AsyncSession) -> bool:
    """The customer's account: a deposit, and the virtual balance that the operator allocates on it."""
    user_id = await _id_of(session, CUSTOMER)
    if await _find(session, "accounts", user_id=user_id) is not None:
        return False
    account = AccountKey(user_id, await open_account(session, _at(2), user_id))
    wallet_id = await _require(session, "wallets", name=WALLET)
    await _deposit(session, account, wallet_id)
    await _allocate(session, account)
    await _reconcile(session, wallet_id, _at(5).now())
    return True


async def _deposit(session: AsyncSession, account: AccountKey, wallet_id: UUID) -> None:
    """A confirmed deposit with its journal. Custody's deposits, fed by the processor's simulator, replace this."""
    asked, credited = _at(2).now(), _at(3).now()
    deposit_id = new_id()
    coins = DEPOSIT / BTC_RATE
    await _insert(
        session,
        "deposits",
        user_id=account.user_id,
        id=deposit_id,
        account_id=account.account_id,
        price_amount=DEPOSIT,
        crypto_amount=coins,
        crypto_currency="btc",
        network="btc",
        actually_paid=coins,
        outcome_amount=DEPOSIT,
        outcome_currency="usdttrc20",
        rate=BTC_RATE,
        usd_equivalent=DEPOSIT,
        fees=Decimal(0),
        credited_amount=DEPOSIT,
        status="confirmed",
        order_id=str(deposit_id),
        payment_id=_PAYMENT_ID,
        # The example address of BIP 173: nobody's wallet.
        pay_address="bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        transaction_hash="d0" * 32,
        confirmations=6,
        provider_payload={"payment_id": _PAYMENT_ID, "payment_status": "finished", "pay_currency": "btc"},
        reconciled=True,
        expires_at=asked + timedelta(days=1),
        credited_at=credited,
        created_at=asked,
    )
    figures = await lock_figures(session, account.user_id, account.account_id)
    await _post(session, deposits.deposit_credited(figures, deposit_id, DEPOSIT, wallet_id), credited)
    await _update_user(session, account.user_id, can_access_trading=True)


async def _allocate(session: AsyncSession, account: AccountKey) -> None:
    """An adjustment by two people, its journal and its audit rows. The adjustments' own service replaces this."""
    clock = _at(4)
    maker, checker = [await _id_of(session, person) for person in (ADMIN, TREASURY)]
    adjustment_id = new_id()
    before = (await lock_figures(session, account.user_id, account.account_id)).virtual
    journal = adjustments.balance_adjusted(
        account, adjustment_id, ALLOCATION, kind="equity_adjustment", reason=ALLOCATION_REASON
    )
    await _post(session, journal, clock.now())
    after = (await lock_figures(session, account.user_id, account.account_id)).virtual
    await _insert(
        session,
        "admin_adjustments",
        user_id=account.user_id,
        id=adjustment_id,
        account_id=account.account_id,
        admin_user_id=maker,
        adjustment_type="equity_adjustment",
        amount=ALLOCATION,
        unit="VUSD",
        previous_balance=before,
        new_balance=after,
        reason=ALLOCATION_REASON,
        status="approved",
        requires_approval=True,
        approved_by=checker,
        approved_at=clock.now(),
        expires_at=clock.now() + timedelta(days=7),
        journal_id=journal.journal_id,
        created_at=_at(3).now(),
    )
    made = Actor(ActorKind.STAFF, user_id=maker, roles=frozenset(ADMIN.roles))
    approved = Actor(ActorKind.STAFF, user_id=checker, roles=frozenset(TREASURY.roles))
    for actor, action, changes in (
        (made, ADJUST_BALANCE, diff({"virtual_balance": before}, {"virtual_balance": after})),
        (approved, APPROVE_ADJUSTMENT, diff({"status": "pending"}, {"status": "approved"})),
    ):
        await record(
            session,
            clock,
            actor=actor,
            action=action,
            subject_user_id=account.user_id,
            object_type="admin_adjustment",
            object_id=adjustment_id,
            changes=changes,
            reason=ALLOCATION_REASON,
        )


# -- Markets and plans -----------------------------------------------------------------------------------------------


async def _list_market(session: AsyncSession, market: DemoMarket) -> bool:
    """An instrument with 30 days of hourly candles, and the larger ones that they add up to."""
    if await _find(session, "instruments", symbol=market.symbol) is not None:
        return False
    kind = InstrumentType(market.instrument_type)
    terms = replace(usual_terms(kind), tick_size=market.tick)
    new = NewInstrument(market.symbol, market.name, kind, market.base, "USD", terms)
    instrument = await create_instrument(session, new, at=OPENING)
    with TemporaryDirectory(prefix="topcoin-demo-") as folder:
        path = Path(folder) / f"{market.symbol.replace('/', '-')}.csv"
        path.write_text(candles_csv(market), encoding="ascii")
        file = read_candle_file(path, Timeframe.H1)
    await import_candles(session, instrument.id, file, imported_by=_SEEDED_BY, at=CANDLES_END)
    for larger in _LARGER_TIMEFRAMES:
        await aggregate_candles(session, instrument.id, Timeframe.H1, larger)
    return True


async def _describe_plan(session: AsyncSession, plan: DemoPlan) -> bool:
    """A plan whose figures follow from a series of net asset values. Marks, through their service, replace this."""
    if await _find(session, "ai_investment_plans", name=plan.name) is not None:
        return False
    marks = demo_marks(plan)
    returns = chain_linked(marks)
    await _insert(
        session,
        "ai_investment_plans",
        id=new_id(),
        name=plan.name,
        risk_profile=plan.risk_profile,
        current_return=returns.current,
        monthly_return=returns.month,
        quarterly_return=returns.quarter,
        ytd_return=returns.year,
        equity_curve=equity_curve(marks),
        performance_notes="A made-up series for demonstration: nobody has earned it.",
        minimum_investment=plan.minimum,
        created_at=OPENING,
    )
    return True
