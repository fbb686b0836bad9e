"""The demo data on a real database: what they are, and that making them again changes nothing."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from topcoin.entrypoints.cli.main import app
from topcoin.entrypoints.seed.domain import CUSTOMER, PEOPLE
from topcoin.entrypoints.seed.service import seed_demo
from topcoin.entrypoints.tables import metadata
from topcoin.identity.passwords.service import check_password
from topcoin.infra.database.connect import Role, SessionFactory, database_url
from topcoin.infra.settings import Settings, current_settings
from topcoin.ledger.checking.service import verify

Row = dict[str, Any]


@pytest.fixture
async def seeded(sessions: SessionFactory) -> SessionFactory:
    """A database with the demo data in it."""
    async with sessions.begin() as session:
        assert all(part.is_new for part in await seed_demo(session))
    return sessions


async def rows(sessions: SessionFactory, query: str) -> list[Row]:
    """What a query finds."""
    async with sessions() as session:
        return [dict(row) for row in (await session.execute(text(query))).mappings()]


async def dump(sessions: SessionFactory) -> dict[str, list[str]]:
    """Every row of every table as text, with where it lies on the disk: an update would move it."""
    async with sessions() as session:
        return {
            table: list(await session.scalars(text(f"SELECT t.ctid || t::text FROM {table} AS t ORDER BY 1")))  # noqa: S608 - our tables
            for table in metadata.tables
        }


async def test_making_them_again_changes_no_byte(seeded: SessionFactory) -> None:
    before = await dump(seeded)
    assert sum(map(len, before.values())) > 4000
    async with seeded.begin() as session:
        assert not any(part.is_new for part in await seed_demo(session))
    assert await dump(seeded) == before


async def test_the_books_are_as_told_and_verify(seeded: SessionFactory, database: Settings) -> None:
    (account,) = await rows(
        seeded, "SELECT a.* FROM accounts a JOIN users u ON u.id = a.user_id WHERE email = 'demo@topcoin.local'"
    )
    assert (account["deposited_amount"], account["virtual_balance"]) == (Decimal(500), Decimal(10_000))
    (wallet,) = await rows(seeded, "SELECT * FROM wallets")
    assert (wallet["name"], wallet["balance"]) == ("Business deposits", Decimal(250_000))
    assert (wallet["reconciliation_status"], wallet["difference"]) == ("matched", Decimal(0))
    assert await rows(seeded, "SELECT balance FROM house_funds") == [{"balance": Decimal(249_500)}]
    report = verify(database_url(database, Role.READ))
    assert report.ok, report.problems


async def test_the_deposit_and_the_allocation_have_their_records(seeded: SessionFactory) -> None:
    (deposit,) = await rows(seeded, "SELECT * FROM deposits")
    assert (deposit["status"], deposit["confirmations"], deposit["credited_amount"]) == ("confirmed", 6, Decimal(500))
    assert (deposit["crypto_currency"], deposit["crypto_amount"] * deposit["rate"]) == ("btc", Decimal(500))
    (adjustment,) = await rows(seeded, "SELECT * FROM admin_adjustments")
    assert adjustment["adjustment_type"] == "equity_adjustment"
    assert adjustment["reason"] == "Initial virtual balance allocation"
    assert (adjustment["previous_balance"], adjustment["amount"], adjustment["new_balance"]) == (500, 9500, 10_000)
    (audit,) = await rows(seeded, "SELECT * FROM audits WHERE action = 'adjust_balance'")
    assert (audit["actor"], audit["object_id"]) == (adjustment["admin_user_id"], str(adjustment["id"]))
    assert audit["user_id"] == adjustment["user_id"]
    (approval,) = await rows(seeded, "SELECT * FROM audits WHERE action = 'approve_adjustment'")
    assert approval["actor"] == adjustment["approved_by"] != adjustment["admin_user_id"]
    entries = await rows(seeded, "SELECT reference_type, reference_id FROM ledger_entries WHERE wallet_id IS NULL")
    assert {each["reference_id"] for each in entries} == {str(deposit["id"]), str(adjustment["id"])}


async def test_people_can_sign_in_and_are_who_they_should_be(seeded: SessionFactory) -> None:
    users = {
        each["email"]: each for each in await rows(seeded, "SELECT * FROM users WHERE email LIKE '%topcoin.local'")
    }
    assert set(users) == {person.email for person in PEOPLE}
    for person in PEOPLE:
        assert (await check_password(person.password, users[person.email]["hashed_password"])).matches
        assert users[person.email]["is_admin"] is bool(person.roles)
    demo = users[CUSTOMER.email]
    assert (demo["kyc_status"], demo["can_access_trading"]) == ("auto_approved", True)
    assert not users["admin@topcoin.local"]["can_access_trading"]


async def test_markets_have_a_month_of_candles_that_add_up(seeded: SessionFactory) -> None:
    counted = await rows(
        seeded,
        "SELECT symbol, timeframe, count(*) AS candles, sum(volume) AS volume, sum(trade_count) AS trades "
        "FROM candles JOIN instruments i ON i.id = instrument_id GROUP BY symbol, timeframe",
    )
    found = {(each["symbol"], each["timeframe"]): each for each in counted}
    symbols = {"BTC/USD", "ETH/USD", "EUR/USD", "XAU/USD", "SPX"}
    assert {symbol for symbol, _ in found} == symbols
    for symbol in symbols:
        hourly = found[symbol, "1h"]
        assert hourly["candles"] == 720
        for larger, count in (("4h", 180), ("1d", 30), ("1w", 5)):
            candles = found[symbol, larger]
            assert (candles["candles"], candles["volume"], candles["trades"]) == (
                count,
                hourly["volume"],
                hourly["trades"],
            )


async def test_plans_report_what_their_curves_say(seeded: SessionFactory) -> None:
    plans = await rows(seeded, "SELECT * FROM ai_investment_plans ORDER BY ytd_return")
    assert [(each["name"], each["ytd_return"]) for each in plans] == [
        ("Conservative", Decimal("0.055")),
        ("Balanced", Decimal("0.128")),
        ("Aggressive", Decimal("0.245")),
    ]
    for plan in plans:
        curve = plan["equity_curve"]
        assert Decimal(curve[-1]["nav"]) / Decimal(curve[0]["nav"]) - 1 == plan["ytd_return"]


def test_production_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("DATABASE_URL", "MIGRATION_DATABASE_URL", "READ_DATABASE_URL")):
        monkeypatch.setenv(f"TOPCOIN_{name}", f"postgresql://role{number}@/books?host=/nonexistent")
    monkeypatch.setenv("TOPCOIN_ENV", "production")
    monkeypatch.setenv("TOPCOIN_SECRET_KEY", "pZ1xV9qLw3Rk7TtYb5Nn8Mm2Cc4Ff6Hh0Jj")
    current_settings.cache_clear()
    refused = CliRunner().invoke(app, ["seed"])
    current_settings.cache_clear()
    assert refused.exit_code == 1
    assert "[demo_data_refused]" in refused.stderr
