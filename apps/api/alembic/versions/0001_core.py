"""The core: people, ledger, custody, market, trading, plans, compliance, audit and support.

Revision 0001, the first.
"""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parents[1] / "sql" / revision

TABLES = (
    "ai_investment_plans",
    "house_funds",
    "instruments",
    "candle_imports",
    "candles",
    "user_email_claims",
    "users",
    "accounts",
    "admin_adjustments",
    "aml_alerts",
    "audits",
    "deposits",
    "orders",
    "positions",
    "support_tickets",
    "user_investments",
    "wallets",
    "ledger_entries",
    "withdrawals",
)
"""In the order of their foreign keys; each is created by the function `create_…` of its name."""


def upgrade() -> None:
    execute("0*.sql")
    create_ai_investment_plans()
    create_house_funds()
    create_instruments()
    create_candle_imports()
    create_candles()
    create_user_email_claims()
    create_users()
    create_accounts()
    create_admin_adjustments()
    create_aml_alerts()
    create_audits()
    create_deposits()
    create_orders()
    create_positions()
    create_support_tickets()
    create_user_investments()
    create_wallets()
    create_ledger_entries()
    create_withdrawals()
    execute("[1-9]*.sql")


def downgrade() -> None:
    op.execute("DROP VIEW ledger_postings")
    for table in reversed(TABLES):
        op.drop_table(table)
    # Before this revision the schema was empty, so what functions are left are its own.
    op.execute("""
        DO $$
        DECLARE
            function regprocedure;
        BEGIN
            FOR function IN
                SELECT p.oid FROM pg_proc AS p
                 WHERE p.pronamespace = 'public'::regnamespace AND p.proowner = current_user::regrole
                   AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
                 ORDER BY p.oid DESC
            LOOP
                EXECUTE 'DROP FUNCTION ' || function;
            END LOOP;
        END
        $$
    """)


def execute(names: str) -> None:
    """Run the SQL files that match, by name: 0… before the tables, whose constraints call those functions."""
    for script in sorted(SQL.glob(names)):
        op.execute(sa.text(script.read_text().replace(":", r"\:")))


def create_ai_investment_plans() -> None:
    op.create_table(
        "ai_investment_plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("risk_profile", sa.Text(), nullable=False),
        sa.Column(
            "current_return",
            sa.Numeric(precision=18, scale=8),
            nullable=True,
            comment="Fraction since inception; NULL before two marks",
        ),
        sa.Column(
            "monthly_return",
            sa.Numeric(precision=18, scale=8),
            nullable=True,
            comment="Fraction, month to date as of the last mark",
        ),
        sa.Column(
            "quarterly_return",
            sa.Numeric(precision=18, scale=8),
            nullable=True,
            comment="Fraction, quarter to date as of the last mark",
        ),
        sa.Column(
            "ytd_return",
            sa.Numeric(precision=18, scale=8),
            nullable=True,
            comment="Fraction, year to date as of the last mark",
        ),
        sa.Column(
            "equity_curve",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="Series for charts, derived from the NAV marks",
        ),
        sa.Column(
            "total_invested",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD, at cost",
        ),
        sa.Column("active_investors", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("performance_notes", sa.Text(), nullable=True, comment="The operator's words, shown as such"),
        sa.Column("minimum_investment", sa.Numeric(precision=28, scale=8), nullable=False, comment="VUSD"),
        sa.Column(
            "maximum_investment",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="VUSD for one customer; NULL: no maximum",
        ),
        sa.Column(
            "is_active",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="Managed; closed plans stay listed",
        ),
        sa.Column(
            "is_open", sa.Boolean(), server_default=sa.text("true"), nullable=False, comment="Takes new investments"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "'NaN'::numeric NOT IN (current_return, monthly_return, quarterly_return, ytd_return,"
            " total_invested, minimum_investment, maximum_investment)",
            name=op.f("ck_ai_investment_plans_numbers"),
        ),
        sa.CheckConstraint("btrim(name) <> ''", name=op.f("ck_ai_investment_plans_name_not_blank")),
        sa.CheckConstraint(
            "jsonb_typeof(equity_curve) = 'array'", name=op.f("ck_ai_investment_plans_equity_curve_array")
        ),
        sa.CheckConstraint(
            "risk_profile IN ('conservative', 'balanced', 'aggressive')",
            name=op.f("ck_ai_investment_plans_risk_profile_known"),
        ),
        sa.CheckConstraint("active_investors >= 0", name=op.f("ck_ai_investment_plans_active_investors_not_negative")),
        sa.CheckConstraint("is_active OR NOT is_open", name=op.f("ck_ai_investment_plans_open_only_while_active")),
        sa.CheckConstraint(
            "least(current_return, monthly_return, quarterly_return, ytd_return) >= -1",
            name=op.f("ck_ai_investment_plans_returns_possible"),
        ),
        sa.CheckConstraint(
            "maximum_investment >= minimum_investment",
            name=op.f("ck_ai_investment_plans_maximum_investment_over_minimum"),
        ),
        sa.CheckConstraint("minimum_investment > 0", name=op.f("ck_ai_investment_plans_minimum_investment_positive")),
        sa.CheckConstraint("total_invested >= 0", name=op.f("ck_ai_investment_plans_total_invested_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_investment_plans")),
        sa.UniqueConstraint("name", name=op.f("uq_ai_investment_plans_name")),
        comment="Managed plans; simulated money, results reported by the operator",
    )
    op.create_index(op.f("ix_ai_investment_plans_is_active_is_open"), "ai_investment_plans", ["is_active", "is_open"])


def create_house_funds() -> None:
    op.create_table(
        "house_funds",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "balance",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="USD in custody that is owed to nobody (LED-6)",
        ),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_house_funds_balance_not_negative")),
        sa.CheckConstraint("id = 1", name=op.f("ck_house_funds_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_house_funds")),
        comment="Free operator money: the legs of operator_funds, network_fees, valuation and credit_losses",
    )


def create_instruments() -> None:
    op.create_table(
        "instruments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("instrument_type", sa.Text(), nullable=False),
        sa.Column("base_currency", sa.Text(), nullable=False),
        sa.Column("quote_currency", sa.Text(), nullable=False),
        sa.Column("min_size", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column("max_size", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column("size_step", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column("tick_size", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column("contract_size", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column("spread", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column("commission_pct", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("max_leverage", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column("maintenance_margin_pct", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("trading_calendar", sa.Text(), nullable=False),
        sa.Column("financing_long_pct", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("financing_short_pct", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_tradeable", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("base_currency ~ '^[A-Z0-9]{2,12}$'", name=op.f("ck_instruments_base_currency_form")),
        sa.CheckConstraint("btrim(name) <> ''", name=op.f("ck_instruments_name_not_blank")),
        sa.CheckConstraint("btrim(trading_calendar) <> ''", name=op.f("ck_instruments_trading_calendar_not_blank")),
        sa.CheckConstraint(
            "instrument_type IN ('forex', 'crypto', 'stock', 'index', 'commodity')",
            name=op.f("ck_instruments_instrument_type_known"),
        ),
        sa.CheckConstraint("quote_currency ~ '^[A-Z0-9]{2,12}$'", name=op.f("ck_instruments_quote_currency_form")),
        sa.CheckConstraint("symbol ~ '^[A-Z0-9][A-Z0-9./_-]{0,31}$'", name=op.f("ck_instruments_symbol_form")),
        sa.CheckConstraint("commission_pct BETWEEN 0 AND 100", name=op.f("ck_instruments_commission_pct_bounded")),
        sa.CheckConstraint(
            "contract_size > 0 AND contract_size < 1e20", name=op.f("ck_instruments_contract_size_positive")
        ),
        sa.CheckConstraint(
            "financing_long_pct BETWEEN -100 AND 100", name=op.f("ck_instruments_financing_long_pct_bounded")
        ),
        sa.CheckConstraint(
            "financing_short_pct BETWEEN -100 AND 100", name=op.f("ck_instruments_financing_short_pct_bounded")
        ),
        sa.CheckConstraint("is_active OR NOT is_tradeable", name=op.f("ck_instruments_tradeable_only_while_active")),
        sa.CheckConstraint(
            "maintenance_margin_pct > 0 AND maintenance_margin_pct * max_leverage <= 100",
            name=op.f("ck_instruments_maintenance_margin_pct_bounded"),
        ),
        sa.CheckConstraint("max_leverage BETWEEN 1 AND 1000", name=op.f("ck_instruments_max_leverage_bounded")),
        sa.CheckConstraint("max_size >= min_size AND max_size < 1e20", name=op.f("ck_instruments_max_size_bounded")),
        sa.CheckConstraint("min_size > 0 AND min_size < 1e20", name=op.f("ck_instruments_min_size_positive")),
        sa.CheckConstraint("mod(max_size, nullif(size_step, 0)) = 0", name=op.f("ck_instruments_max_size_stepped")),
        sa.CheckConstraint("mod(min_size, nullif(size_step, 0)) = 0", name=op.f("ck_instruments_min_size_stepped")),
        sa.CheckConstraint("size_step > 0 AND size_step < 1e20", name=op.f("ck_instruments_size_step_positive")),
        sa.CheckConstraint("spread >= 0 AND spread < 1e20", name=op.f("ck_instruments_spread_bounded")),
        sa.CheckConstraint("tick_size > 0 AND tick_size < 1e20", name=op.f("ck_instruments_tick_size_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruments")),
        sa.UniqueConstraint("symbol", name=op.f("uq_instruments_symbol")),
    )


def create_candle_imports() -> None:
    op.create_table(
        "candle_imports",
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_sha256", sa.Text(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("first_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("inserted_count", sa.BigInteger(), nullable=False),
        sa.Column("replaced_count", sa.BigInteger(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.CheckConstraint("btrim(file_name) <> ''", name=op.f("ck_candle_imports_file_name_not_blank")),
        sa.CheckConstraint("btrim(imported_by) <> ''", name=op.f("ck_candle_imports_imported_by_not_blank")),
        sa.CheckConstraint("file_sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_candle_imports_file_sha256_form")),
        sa.CheckConstraint(
            "timeframe IN ('1m', '5m', '15m', '1h', '4h', '1d', '1w')", name=op.f("ck_candle_imports_timeframe_known")
        ),
        sa.CheckConstraint("first_timestamp <= last_timestamp", name=op.f("ck_candle_imports_first_before_last")),
        sa.CheckConstraint(
            "inserted_count + replaced_count BETWEEN 1 AND row_count", name=op.f("ck_candle_imports_changes_counted")
        ),
        sa.CheckConstraint("inserted_count >= 0", name=op.f("ck_candle_imports_inserted_count_not_negative")),
        sa.CheckConstraint("replaced_count >= 0", name=op.f("ck_candle_imports_replaced_count_not_negative")),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_candle_imports_instrument_id_instruments")
        ),
        sa.PrimaryKeyConstraint("instrument_id", "id", name=op.f("pk_candle_imports")),
    )


def create_candles() -> None:
    op.create_table(
        "candles",
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trade_count", sa.BigInteger(), nullable=True),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("open", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column("high", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column("low", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column("close", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column("volume", sa.Numeric(precision=28, scale=8), nullable=True),
        sa.CheckConstraint(
            "timeframe IN ('1m', '5m', '15m', '1h', '4h', '1d', '1w')", name=op.f("ck_candles_timeframe_known")
        ),
        sa.CheckConstraint(
            "\"timestamp\" = date_bin(CASE timeframe WHEN '1m' THEN interval '1 minutes' WHEN '5m' THEN"
            " interval '5 minutes' WHEN '15m' THEN interval '15 minutes' WHEN '1h' THEN interval '60 minutes'"
            " WHEN '4h' THEN interval '240 minutes' WHEN '1d' THEN interval '1440 minutes' WHEN '1w' THEN"
            " interval '10080 minutes' END, \"timestamp\", timestamptz '2000-01-03 00:00:00+00:00')",
            name=op.f("ck_candles_timestamp_aligned"),
        ),
        sa.CheckConstraint(
            '"timestamp" >= timestamptz \'1900-01-01 00:00:00+00:00\' AND "timestamp" < timestamptz \'2201-01-01'
            " 00:00:00+00:00'",
            name=op.f("ck_candles_timestamp_in_range"),
        ),
        sa.CheckConstraint("high < 1e20", name=op.f("ck_candles_high_bounded")),
        sa.CheckConstraint("high >= open AND high >= close", name=op.f("ck_candles_high_is_highest")),
        sa.CheckConstraint("low <= open AND low <= close", name=op.f("ck_candles_low_is_lowest")),
        sa.CheckConstraint("low > 0", name=op.f("ck_candles_low_positive")),
        sa.CheckConstraint("trade_count >= 0", name=op.f("ck_candles_trade_count_not_negative")),
        sa.CheckConstraint("volume >= 0 AND volume < 1e20", name=op.f("ck_candles_volume_bounded")),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_candles_instrument_id_instruments")
        ),
        sa.PrimaryKeyConstraint("instrument_id", "timeframe", "timestamp", name=op.f("pk_candles")),
    )


def create_user_email_claims() -> None:
    op.create_table(
        "user_email_claims",
        sa.Column("email", sa.Text(), nullable=False, comment="normal_email(users.email)"),
        sa.Column("user_id", sa.Uuid(), nullable=False, comment="No foreign key: the user lives on another shard"),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_user_email_claims_email_normal")),
        sa.PrimaryKeyConstraint("email", name=op.f("pk_user_email_claims")),
        comment="One row for each e-mail address in use, in lower case; kept by a trigger on users",
    )
    op.create_index(op.f("ix_user_email_claims_user_id"), "user_email_claims", ["user_id"])


def create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False, comment="As its owner writes it"),
        sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hashed_password", sa.Text(), nullable=False, comment="Argon2id in PHC form; '!' fits no password"),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("kyc_status", sa.Text(), server_default="not_submitted", nullable=False),
        sa.Column("kyc_submitted_at", sa.DateTime(timezone=True), nullable=True, comment="The latest submission"),
        sa.Column(
            "kyc_reviewed_at", sa.DateTime(timezone=True), nullable=True, comment="The review of the latest submission"
        ),
        sa.Column(
            "kyc_reviewed_by",
            sa.Uuid(),
            nullable=True,
            comment="A staff member's user id; no foreign key, as that row lives elsewhere",
        ),
        sa.Column(
            "kyc_reason", sa.Text(), nullable=True, comment="Why it was refused or revoked; read by the customer"
        ),
        sa.Column(
            "can_access_trading",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="True from the first credited deposit on",
        ),
        sa.Column(
            "is_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False, comment="Has a staff role"
        ),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_banned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("banned_reason", sa.Text(), nullable=True, comment="Read by the customer"),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("country", sa.Text(), nullable=True, comment="Of residence, ISO 3166-1 alpha-2"),
        sa.Column("date_of_birth", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(kyc_status = 'not_submitted') = (kyc_submitted_at IS NULL)", name=op.f("ck_users_kyc_submitted")
        ),
        sa.CheckConstraint(
            "(kyc_status IN ('approved', 'rejected', 'revoked')) = (kyc_reviewed_at IS NOT NULL)",
            name=op.f("ck_users_kyc_reviewed"),
        ),
        sa.CheckConstraint(
            "NOT is_banned OR coalesce(btrim(banned_reason), '') <> ''", name=op.f("ck_users_banned_has_reason")
        ),
        sa.CheckConstraint("btrim(display_name) <> ''", name=op.f("ck_users_display_name_not_blank")),
        sa.CheckConstraint("btrim(hashed_password) <> ''", name=op.f("ck_users_hashed_password_not_blank")),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("ck_users_country_form")),
        sa.CheckConstraint("date_of_birth >= date '1900-01-01'", name=op.f("ck_users_date_of_birth_possible")),
        sa.CheckConstraint(
            "email ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND char_length(email) <= 254", name=op.f("ck_users_email_form")
        ),
        sa.CheckConstraint(
            "kyc_status IN ('not_submitted', 'auto_approved', 'under_review', 'approved', 'rejected', 'revoked')",
            name=op.f("ck_users_kyc_status_known"),
        ),
        sa.CheckConstraint(
            "kyc_status NOT IN ('rejected', 'revoked') OR coalesce(btrim(kyc_reason), '') <> ''",
            name=op.f("ck_users_kyc_refused_has_reason"),
        ),
        sa.CheckConstraint(
            "(kyc_reviewed_at IS NULL) = (kyc_reviewed_by IS NULL)", name=op.f("ck_users_kyc_reviewer_named")
        ),
        sa.CheckConstraint("kyc_reviewed_at >= kyc_submitted_at", name=op.f("ck_users_kyc_reviewed_after_submitted")),
        sa.CheckConstraint("kyc_reviewed_by <> id", name=op.f("ck_users_kyc_not_reviewed_by_self")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        comment="Customers and staff. E-mail addresses are unique whatever their case: see user_email_claims",
    )
    op.create_index(op.f("ix_users_created_at"), "users", ["created_at"])
    op.create_index(
        op.f("ix_users_kyc_reviewed_at"),
        "users",
        ["kyc_reviewed_at"],
        postgresql_where=sa.text("kyc_reviewed_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_users_kyc_status_kyc_submitted_at"), "users", ["kyc_status", "kyc_submitted_at"])
    op.create_index(
        op.f("ix_users_last_login_at"),
        "users",
        ["last_login_at"],
        postgresql_where=sa.text("last_login_at IS NOT NULL"),
    )
    op.create_index("ix_users_staff", "users", ["id"], postgresql_where=sa.text("is_admin"))


def create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column(
            "deposited_amount",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="USD deposited and credited (book deposited)",
        ),
        sa.Column(
            "approved_profit",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="USD of profit approved for payout (book profit)",
        ),
        sa.Column(
            "deposit_review",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="USD received and under review (book review)",
        ),
        sa.Column(
            "withdrawal_hold",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="USD reserved for withdrawals in progress (book hold)",
        ),
        sa.Column(
            "virtual_balance",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD that it trades with (book virtual)",
        ),
        sa.Column(
            "virtual_hold",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD leaving with a withdrawal in progress (book virtual_hold)",
        ),
        sa.Column(
            "allocated",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD placed in plans, at cost (book allocated)",
        ),
        sa.Column(
            "credit_due",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD of credit beyond the deposit it came with (negative: below it); netted from the next credit",
        ),
        sa.Column(
            "equity_cached",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD: virtual and virtual_hold plus floating results, when last valued",
        ),
        sa.Column(
            "margin_used",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD bound by open positions and resting orders",
        ),
        sa.Column(
            "margin_available",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD free for new orders, when last valued",
        ),
        sa.Column(
            "realized_pnl",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD of closed simulated trades, in total",
        ),
        sa.Column("total_trades", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("winning_trades", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("losing_trades", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_frozen", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("frozen_reason", sa.Text(), nullable=True, comment="Read by the customer"),
        sa.Column("position_mode", sa.Text(), server_default="netting", nullable=False),
        sa.Column(
            "entry_count",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Ledger head: the sequence of the newest entry",
        ),
        sa.Column(
            "head_hash",
            sa.LargeBinary(),
            server_default=sa.text("'\\x0000000000000000000000000000000000000000000000000000000000000000'::bytea"),
            nullable=False,
            comment="Ledger head: the hash of the newest entry, 32 zero bytes before the first",
        ),
        sa.Column("last_entry_at", sa.DateTime(timezone=True), nullable=True, comment="When the newest entry was made"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "NOT is_frozen OR coalesce(btrim(frozen_reason), '') <> ''", name=op.f("ck_accounts_frozen_has_reason")
        ),
        sa.CheckConstraint(
            "'NaN'::numeric NOT IN (equity_cached, margin_used, margin_available, realized_pnl)",
            name=op.f("ck_accounts_numbers"),
        ),
        sa.CheckConstraint("position_mode IN ('netting', 'hedging')", name=op.f("ck_accounts_position_mode_known")),
        sa.CheckConstraint(
            "(entry_count = 0) = (last_entry_at IS NULL) AND entry_count >= 0 AND octet_length(head_hash) = 32",
            name=op.f("ck_accounts_head_consistent"),
        ),
        sa.CheckConstraint("allocated >= 0", name=op.f("ck_accounts_allocated_not_negative")),
        sa.CheckConstraint("approved_profit >= 0", name=op.f("ck_accounts_profit_not_negative")),
        sa.CheckConstraint("deposit_review >= 0", name=op.f("ck_accounts_review_not_negative")),
        sa.CheckConstraint("deposited_amount >= 0", name=op.f("ck_accounts_deposited_not_negative")),
        sa.CheckConstraint("margin_used >= 0", name=op.f("ck_accounts_margin_used_not_negative")),
        sa.CheckConstraint(
            "virtual_balance >= 0 OR margin_used > 0", name=op.f("ck_accounts_virtual_negative_only_with_positions")
        ),
        sa.CheckConstraint("virtual_hold >= 0", name=op.f("ck_accounts_virtual_hold_not_negative")),
        sa.CheckConstraint(
            "winning_trades >= 0 AND losing_trades >= 0 AND winning_trades + losing_trades <= total_trades",
            name=op.f("ck_accounts_trades_add_up"),
        ),
        sa.CheckConstraint("withdrawal_hold >= 0", name=op.f("ck_accounts_hold_not_negative")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_accounts_user_id_users"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_accounts")),
        comment="A customer's account; the balances are caches of ledger_entries, written by ledger_post alone",
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("ix_accounts_id", "accounts", ["id"])


def create_admin_adjustments() -> None:
    op.create_table(
        "admin_adjustments",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column(
            "admin_user_id",
            sa.Uuid(),
            nullable=False,
            comment="A staff member's user id; no foreign key, as that row lives elsewhere",
        ),
        sa.Column("adjustment_type", sa.Text(), nullable=False),
        sa.Column(
            "amount",
            sa.Numeric(precision=28, scale=8),
            nullable=False,
            comment="In unit; positive credits, negative debits",
        ),
        sa.Column("unit", sa.Text(), nullable=False, comment="USD for a profit approval, otherwise VUSD"),
        sa.Column(
            "redeemed_amount",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="VUSD that leaves the virtual balance for an approved profit; amount is the customer's share of it",
        ),
        sa.Column(
            "written_off",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD of a correction that had been traded away already, borne by the house",
        ),
        sa.Column("corrects_id", sa.Uuid(), nullable=True, comment="The adjustment that a correction takes back"),
        sa.Column(
            "previous_balance",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="In unit, as the ledger had it: the virtual book, or profit for a profit approval",
        ),
        sa.Column(
            "new_balance",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="In unit, as the ledger has it since",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Read by the customer"),
        sa.Column("reference_id", sa.Text(), nullable=True, comment="The operator's reference to data outside"),
        sa.Column("evidence", sa.Text(), nullable=True, comment="The hash of a file, or a URL"),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("requires_approval", sa.Boolean(), nullable=False, comment="Whether two people are needed"),
        sa.Column(
            "approved_by",
            sa.Uuid(),
            nullable=True,
            comment="A staff member's user id; no foreign key, as that row lives elsewhere",
        ),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True, comment="When it was approved and posted"),
        sa.Column(
            "rejected_by",
            sa.Uuid(),
            nullable=True,
            comment="A staff member's user id; no foreign key, as that row lives elsewhere",
        ),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejection_reason", sa.Text(), nullable=True),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Until when it can be approved, if approval is needed",
        ),
        sa.Column("journal_id", sa.Uuid(), nullable=True, comment="The ledger's journal that posted it"),
        sa.Column("ip_address", postgresql.INET(), nullable=True, comment="The maker's"),
        sa.Column("user_agent", sa.Text(), nullable=True, comment="The maker's"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "'NaN'::numeric NOT IN (amount, redeemed_amount, written_off, previous_balance, new_balance)",
            name=op.f("ck_admin_adjustments_numbers"),
        ),
        sa.CheckConstraint(
            "(adjustment_type = 'profit_approval') = (redeemed_amount IS NOT NULL)",
            name=op.f("ck_admin_adjustments_profit_is_redeemed"),
        ),
        sa.CheckConstraint(
            "(approved_by IS NOT NULL) = (status = 'approved' AND requires_approval)",
            name=op.f("ck_admin_adjustments_approved_by_checker"),
        ),
        sa.CheckConstraint(
            "(status = 'approved') = (approved_at IS NOT NULL)", name=op.f("ck_admin_adjustments_approved_has_time")
        ),
        sa.CheckConstraint(
            "(status = 'approved') = (journal_id IS NOT NULL)", name=op.f("ck_admin_adjustments_posted_when_approved")
        ),
        sa.CheckConstraint(
            "(status = 'approved') = (previous_balance IS NOT NULL) AND (status = 'approved') = (new_balance"
            " IS NOT NULL)",
            name=op.f("ck_admin_adjustments_balances_when_approved"),
        ),
        sa.CheckConstraint(
            "(status = 'rejected') = (rejected_at IS NOT NULL)", name=op.f("ck_admin_adjustments_rejected_has_time")
        ),
        sa.CheckConstraint(
            "(status = 'rejected') = (rejection_reason IS NOT NULL) AND coalesce(btrim(rejection_reason), '-') <> ''",
            name=op.f("ck_admin_adjustments_rejected_has_reason"),
        ),
        sa.CheckConstraint(
            "(unit = 'USD') = (adjustment_type IN ('profit_approval'))", name=op.f("ck_admin_adjustments_unit_of_type")
        ),
        sa.CheckConstraint(
            "adjustment_type IN ('manual_profit', 'manual_loss', 'return_update', 'equity_adjustment',"
            " 'correction', 'bonus', 'fee_refund', 'profit_approval')",
            name=op.f("ck_admin_adjustments_adjustment_type_known"),
        ),
        sa.CheckConstraint(
            "adjustment_type NOT IN ('bonus', 'fee_refund', 'manual_profit', 'profit_approval') OR amount > 0",
            name=op.f("ck_admin_adjustments_credit_positive"),
        ),
        sa.CheckConstraint(
            "adjustment_type NOT IN ('manual_loss') OR amount < 0", name=op.f("ck_admin_adjustments_debit_negative")
        ),
        sa.CheckConstraint("btrim(evidence) <> ''", name=op.f("ck_admin_adjustments_evidence_not_blank")),
        sa.CheckConstraint("btrim(reason) <> ''", name=op.f("ck_admin_adjustments_reason_not_blank")),
        sa.CheckConstraint("btrim(reference_id) <> ''", name=op.f("ck_admin_adjustments_reference_id_not_blank")),
        sa.CheckConstraint(
            "corrects_id IS NULL OR adjustment_type = 'correction'",
            name=op.f("ck_admin_adjustments_corrects_only_as_correction"),
        ),
        sa.CheckConstraint(
            "requires_approval OR adjustment_type <> 'profit_approval'",
            name=op.f("ck_admin_adjustments_profit_needs_approval"),
        ),
        sa.CheckConstraint(
            "requires_approval OR status = 'approved'", name=op.f("ck_admin_adjustments_pending_needs_approval")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'rejected', 'expired')", name=op.f("ck_admin_adjustments_status_known")
        ),
        sa.CheckConstraint("unit IN ('USD', 'VUSD')", name=op.f("ck_admin_adjustments_unit_known")),
        sa.CheckConstraint(
            "written_off = 0 OR written_off > 0 AND adjustment_type = 'correction'",
            name=op.f("ck_admin_adjustments_written_off_only_as_correction"),
        ),
        sa.CheckConstraint(
            "(rejected_at IS NULL) = (rejected_by IS NULL)", name=op.f("ck_admin_adjustments_rejected_by_checker")
        ),
        sa.CheckConstraint(
            "admin_user_id <> user_id AND approved_by <> user_id", name=op.f("ck_admin_adjustments_not_on_own_account")
        ),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_admin_adjustments_amount_not_zero")),
        sa.CheckConstraint("approved_at >= created_at", name=op.f("ck_admin_adjustments_approved_after_made")),
        sa.CheckConstraint(
            "approved_by <> admin_user_id AND rejected_by <> admin_user_id",
            name=op.f("ck_admin_adjustments_maker_is_not_checker"),
        ),
        sa.CheckConstraint("corrects_id <> id", name=op.f("ck_admin_adjustments_corrects_another")),
        sa.CheckConstraint(
            "new_balance = previous_balance + amount + written_off",
            name=op.f("ck_admin_adjustments_balances_differ_by_amount"),
        ),
        sa.CheckConstraint("redeemed_amount >= amount", name=op.f("ck_admin_adjustments_redeemed_covers_amount")),
        sa.CheckConstraint("rejected_at >= created_at", name=op.f("ck_admin_adjustments_rejected_after_made")),
        sa.CheckConstraint(
            "requires_approval = (expires_at IS NOT NULL) AND expires_at > created_at",
            name=op.f("ck_admin_adjustments_expiry_when_awaited"),
        ),
        sa.CheckConstraint(
            "requires_approval OR abs(amount) < 1000", name=op.f("ck_admin_adjustments_large_needs_approval")
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "account_id"],
            ["accounts.user_id", "accounts.id"],
            name=op.f("fk_admin_adjustments_user_id_account_id_accounts"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "corrects_id"],
            ["admin_adjustments.user_id", "admin_adjustments.id"],
            name=op.f("fk_admin_adjustments_user_id_corrects_id_admin_adjustments"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_admin_adjustments")),
        sa.UniqueConstraint("user_id", "journal_id", name=op.f("uq_admin_adjustments_user_id_journal_id")),
        comment="The operator's adjustments of balances, with who asked, why, and who approved",
    )
    op.create_index(
        op.f("ix_admin_adjustments_admin_user_id_created_at"), "admin_adjustments", ["admin_user_id", "created_at"]
    )
    op.create_index(op.f("ix_admin_adjustments_created_at"), "admin_adjustments", ["created_at"])
    op.create_index(op.f("ix_admin_adjustments_status_expires_at"), "admin_adjustments", ["status", "expires_at"])
    op.create_index(
        op.f("ix_admin_adjustments_user_id_account_id_created_at"),
        "admin_adjustments",
        ["user_id", "account_id", "created_at"],
    )
    op.create_index(
        op.f("ix_admin_adjustments_user_id_corrects_id"),
        "admin_adjustments",
        ["user_id", "corrects_id"],
        postgresql_where=sa.text("corrects_id IS NOT NULL"),
    )


def create_aml_alerts() -> None:
    op.create_table(
        "aml_alerts",
        sa.Column("alert_type", sa.Text(), nullable=False, comment="The rule that fired"),
        sa.Column(
            "dedup_key",
            sa.Text(),
            nullable=False,
            comment="The fact, in the rule's own terms; the same fact raises no second alert",
        ),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("reference_type", sa.Text(), nullable=True, comment="The singular of the table of what set it off"),
        sa.Column("reference_id", sa.Text(), nullable=True),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Evidence, and the rule's parameters with their version",
        ),
        sa.Column("description", sa.Text(), nullable=False, comment="Why the rule fired, in a sentence"),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column(
            "reviewed_by",
            sa.Uuid(),
            nullable=True,
            comment="A staff member's user id; no foreign key, as that row lives elsewhere",
        ),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True, comment="When somebody took it up"),
        sa.Column("resolution_notes", sa.Text(), nullable=True),
        sa.Column("actions_taken", sa.Text(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, comment="By severity"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(status = 'pending') = (reviewed_by IS NULL)", name=op.f("ck_aml_alerts_worked_on_by_somebody")
        ),
        sa.CheckConstraint(
            "(status = 'resolved') = (outcome IS NOT NULL)", name=op.f("ck_aml_alerts_resolved_has_outcome")
        ),
        sa.CheckConstraint(
            "(status = 'resolved') = (resolved_at IS NOT NULL)", name=op.f("ck_aml_alerts_resolved_has_time")
        ),
        sa.CheckConstraint("alert_type ~ '^[a-z][a-z0-9_]*$'", name=op.f("ck_aml_alerts_alert_type_is_code")),
        sa.CheckConstraint("btrim(actions_taken) <> ''", name=op.f("ck_aml_alerts_actions_taken_not_blank")),
        sa.CheckConstraint("btrim(dedup_key) <> ''", name=op.f("ck_aml_alerts_dedup_key_not_blank")),
        sa.CheckConstraint("btrim(description) <> ''", name=op.f("ck_aml_alerts_description_not_blank")),
        sa.CheckConstraint("btrim(reference_id) <> ''", name=op.f("ck_aml_alerts_reference_id_not_blank")),
        sa.CheckConstraint("jsonb_typeof(details) = 'object'", name=op.f("ck_aml_alerts_details_object")),
        sa.CheckConstraint(
            "outcome IN ('confirmed_risk', 'false_positive', 'valuable')", name=op.f("ck_aml_alerts_outcome_known")
        ),
        sa.CheckConstraint("reference_type ~ '^[a-z][a-z0-9_]*$'", name=op.f("ck_aml_alerts_reference_type_is_code")),
        sa.CheckConstraint(
            "severity IN ('low', 'medium', 'high', 'critical')", name=op.f("ck_aml_alerts_severity_known")
        ),
        sa.CheckConstraint(
            "status <> 'resolved' OR coalesce(btrim(resolution_notes), '') <> ''",
            name=op.f("ck_aml_alerts_resolved_has_notes"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'under_review', 'resolved', 'escalated')", name=op.f("ck_aml_alerts_status_known")
        ),
        sa.CheckConstraint(
            "(reference_type IS NULL) = (reference_id IS NULL)", name=op.f("ck_aml_alerts_reference_named_whole")
        ),
        sa.CheckConstraint(
            "(reviewed_by IS NULL) = (reviewed_at IS NULL)", name=op.f("ck_aml_alerts_reviewed_by_has_time")
        ),
        sa.CheckConstraint("due_at > created_at", name=op.f("ck_aml_alerts_due_after_made")),
        sa.CheckConstraint("resolved_at >= reviewed_at", name=op.f("ck_aml_alerts_resolved_after_reviewed")),
        sa.CheckConstraint("reviewed_at >= created_at", name=op.f("ck_aml_alerts_reviewed_after_made")),
        sa.CheckConstraint("reviewed_by <> user_id", name=op.f("ck_aml_alerts_not_reviewed_by_self")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_aml_alerts_user_id_users"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_aml_alerts")),
        sa.UniqueConstraint(
            "user_id", "alert_type", "dedup_key", name=op.f("uq_aml_alerts_user_id_alert_type_dedup_key")
        ),
        comment="Alerts of the AML rules, and what became of them",
    )
    op.create_index(op.f("ix_aml_alerts_alert_type_created_at"), "aml_alerts", ["alert_type", "created_at"])
    op.create_index(op.f("ix_aml_alerts_created_at"), "aml_alerts", ["created_at"])
    op.create_index(
        op.f("ix_aml_alerts_due_at"), "aml_alerts", ["due_at"], postgresql_where=sa.text("status <> 'resolved'")
    )
    op.create_index(op.f("ix_aml_alerts_reference_type_reference_id"), "aml_alerts", ["reference_type", "reference_id"])
    op.create_index(op.f("ix_aml_alerts_status_severity_due_at"), "aml_alerts", ["status", "severity", "due_at"])
    op.create_index(op.f("ix_aml_alerts_user_id_created_at"), "aml_alerts", ["user_id", "created_at"])


def create_audits() -> None:
    op.create_table(
        "audits",
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="1, 2, 3 … within the subject, without gaps"),
        sa.Column(
            "previous_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="entry_hash of the subject's row before; 32 zero bytes in the first",
        ),
        sa.Column(
            "entry_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of previous_hash and this row's content"
        ),
        sa.Column(
            "actor",
            sa.Uuid(),
            nullable=False,
            comment="Who acted (user id, no foreign key: the row may live on another shard); the house where no"
            " person did",
        ),
        sa.Column("action", sa.Text(), nullable=False, comment="adjust_balance, approve_withdrawal, …"),
        sa.Column("object_type", sa.Text(), nullable=True, comment="The singular of the object's table"),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column(
            "changes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment='{"field": {"before": …, "after": …}}; never secrets',
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="Required by the service where the action is sensitive"),
        sa.Column("ip_address", postgresql.INET(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True, comment="The actor's session"),
        sa.Column(
            "metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(sequence = 1) = (previous_hash ="
            " '\\x0000000000000000000000000000000000000000000000000000000000000000'::bytea)",
            name=op.f("ck_audits_first_has_no_predecessor"),
        ),
        sa.CheckConstraint("action ~ '^[a-z][a-z0-9_]*$'", name=op.f("ck_audits_action_is_code")),
        sa.CheckConstraint("btrim(object_id) <> ''", name=op.f("ck_audits_object_id_not_blank")),
        sa.CheckConstraint("btrim(reason) <> ''", name=op.f("ck_audits_reason_not_blank")),
        sa.CheckConstraint("jsonb_typeof(changes) = 'object'", name=op.f("ck_audits_changes_object")),
        sa.CheckConstraint("jsonb_typeof(metadata) = 'object'", name=op.f("ck_audits_metadata_object")),
        sa.CheckConstraint("object_type ~ '^[a-z][a-z0-9_]*$'", name=op.f("ck_audits_object_type_is_code")),
        sa.CheckConstraint("(object_type IS NULL) = (object_id IS NULL)", name=op.f("ck_audits_object_named_whole")),
        sa.CheckConstraint(
            "octet_length(previous_hash) = 32 AND octet_length(entry_hash) = 32", name=op.f("ck_audits_hash_length")
        ),
        sa.CheckConstraint("sequence >= 1", name=op.f("ck_audits_sequence_from_one")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_audits_user_id_users"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_audits")),
        sa.UniqueConstraint("user_id", "sequence", name=op.f("uq_audits_user_id_sequence")),
        comment="Append-only audit trail, numbered and hash-chained per subject (user_id)",
    )
    op.create_index(op.f("ix_audits_action_created_at"), "audits", ["action", "created_at"])
    op.create_index(op.f("ix_audits_actor_created_at"), "audits", ["actor", "created_at"])
    op.create_index(op.f("ix_audits_created_at"), "audits", ["created_at"])
    op.create_index(op.f("ix_audits_object_type_object_id"), "audits", ["object_type", "object_id"])
    op.create_index(
        op.f("ix_audits_request_id"), "audits", ["request_id"], postgresql_where=sa.text("request_id IS NOT NULL")
    )


def create_deposits() -> None:
    op.create_table(
        "deposits",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column(
            "price_amount",
            sa.Numeric(precision=28, scale=8),
            nullable=False,
            comment="USD that the customer asked to deposit",
        ),
        sa.Column(
            "crypto_amount",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="Coins to be sent, in crypto_currency",
        ),
        sa.Column("crypto_currency", sa.Text(), nullable=False, comment="The coin, in the provider's ticker"),
        sa.Column("network", sa.Text(), nullable=True),
        sa.Column(
            "actually_paid",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="Coins that arrived, in crypto_currency",
        ),
        sa.Column(
            "outcome_amount",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="What reached the wallet, in outcome_currency",
        ),
        sa.Column("outcome_currency", sa.Text(), nullable=True, comment="The wallet's settlement coin"),
        sa.Column(
            "rate", sa.Numeric(precision=28, scale=8), nullable=True, comment="USD for one coin of crypto_currency"
        ),
        sa.Column(
            "usd_equivalent",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="USD value of what arrived, before fees",
        ),
        sa.Column(
            "fees",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="USD kept by provider and network",
        ),
        sa.Column(
            "credited_amount",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="USD credited: usd_equivalent less fees",
        ),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False, comment="Our name for the payment at the provider"),
        sa.Column("payment_id", sa.Text(), nullable=True, comment="The provider's; NULL until it has answered"),
        sa.Column("parent_payment_id", sa.Text(), nullable=True, comment="The payment whose address was paid again"),
        sa.Column("pay_address", sa.Text(), nullable=True, comment="Where the customer sends the coins"),
        sa.Column("transaction_hash", sa.Text(), nullable=True),
        sa.Column("confirmations", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "provider_payload",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The provider's latest own account of the payment, as received",
        ),
        sa.Column(
            "reconciled",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether ledger and provider have been found to agree on it",
        ),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), nullable=True, comment="Until when the provider awaits the coins"
        ),
        sa.Column("credited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "'NaN'::numeric NOT IN (price_amount, crypto_amount, actually_paid, outcome_amount, rate,"
            " usd_equivalent, fees, credited_amount)",
            name=op.f("ck_deposits_numbers"),
        ),
        sa.CheckConstraint("btrim(crypto_currency) <> ''", name=op.f("ck_deposits_crypto_currency_not_blank")),
        sa.CheckConstraint("btrim(network) <> ''", name=op.f("ck_deposits_network_not_blank")),
        sa.CheckConstraint("btrim(order_id) <> ''", name=op.f("ck_deposits_order_id_not_blank")),
        sa.CheckConstraint("btrim(outcome_currency) <> ''", name=op.f("ck_deposits_outcome_currency_not_blank")),
        sa.CheckConstraint("btrim(parent_payment_id) <> ''", name=op.f("ck_deposits_parent_payment_id_not_blank")),
        sa.CheckConstraint("btrim(pay_address) <> ''", name=op.f("ck_deposits_pay_address_not_blank")),
        sa.CheckConstraint("btrim(payment_id) <> ''", name=op.f("ck_deposits_payment_id_not_blank")),
        sa.CheckConstraint("btrim(transaction_hash) <> ''", name=op.f("ck_deposits_transaction_hash_not_blank")),
        sa.CheckConstraint(
            "credited_at IS NULL OR status IN ('confirmed', 'refunded')",
            name=op.f("ck_deposits_credited_only_when_confirmed"),
        ),
        sa.CheckConstraint(
            "jsonb_typeof(provider_payload) = 'object'", name=op.f("ck_deposits_provider_payload_object")
        ),
        sa.CheckConstraint(
            "status <> 'confirmed' OR credited_at IS NOT NULL", name=op.f("ck_deposits_confirmed_is_credited")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'confirming', 'confirmed', 'under_review', 'partially_paid', 'expired',"
            " 'failed', 'returned', 'refunded')",
            name=op.f("ck_deposits_status_known"),
        ),
        sa.CheckConstraint(
            "(credited_at IS NULL) = (credited_amount IS NULL) AND credited_amount > 0",
            name=op.f("ck_deposits_credited_has_amount"),
        ),
        sa.CheckConstraint(
            "(outcome_amount IS NULL) = (outcome_currency IS NULL)", name=op.f("ck_deposits_outcome_has_currency")
        ),
        sa.CheckConstraint("actually_paid >= 0", name=op.f("ck_deposits_actually_paid_not_negative")),
        sa.CheckConstraint("confirmations >= 0", name=op.f("ck_deposits_confirmations_not_negative")),
        sa.CheckConstraint(
            "credited_amount IS NULL OR credited_amount = usd_equivalent - fees",
            name=op.f("ck_deposits_credited_is_net"),
        ),
        sa.CheckConstraint("credited_at >= created_at", name=op.f("ck_deposits_credited_after_made")),
        sa.CheckConstraint(
            "credited_at IS NULL OR payment_id IS NOT NULL AND usd_equivalent IS NOT NULL",
            name=op.f("ck_deposits_credited_has_payment"),
        ),
        sa.CheckConstraint("crypto_amount > 0", name=op.f("ck_deposits_crypto_amount_positive")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_deposits_expires_after_made")),
        sa.CheckConstraint("fees >= 0", name=op.f("ck_deposits_fees_not_negative")),
        sa.CheckConstraint("outcome_amount >= 0", name=op.f("ck_deposits_outcome_amount_not_negative")),
        sa.CheckConstraint("parent_payment_id <> payment_id", name=op.f("ck_deposits_not_its_own_parent")),
        sa.CheckConstraint(
            "pay_address IS NULL OR payment_id IS NOT NULL", name=op.f("ck_deposits_address_from_payment")
        ),
        sa.CheckConstraint("price_amount > 0", name=op.f("ck_deposits_price_amount_positive")),
        sa.CheckConstraint("rate > 0", name=op.f("ck_deposits_rate_positive")),
        sa.CheckConstraint("usd_equivalent >= 0", name=op.f("ck_deposits_usd_equivalent_not_negative")),
        sa.ForeignKeyConstraint(
            ["user_id", "account_id"],
            ["accounts.user_id", "accounts.id"],
            name=op.f("fk_deposits_user_id_account_id_accounts"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_deposits")),
        sa.UniqueConstraint("user_id", "order_id", name=op.f("uq_deposits_user_id_order_id")),
        sa.UniqueConstraint("user_id", "payment_id", name=op.f("uq_deposits_user_id_payment_id")),
        comment="Real money coming in through the payment processor",
    )
    op.create_index(op.f("ix_deposits_created_at"), "deposits", ["created_at"])
    op.create_index(
        op.f("ix_deposits_credited_at"),
        "deposits",
        ["credited_at"],
        postgresql_where=sa.text("credited_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_deposits_order_id"), "deposits", ["order_id"])
    op.create_index(
        op.f("ix_deposits_parent_payment_id"),
        "deposits",
        ["parent_payment_id"],
        postgresql_where=sa.text("parent_payment_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_deposits_payment_id"), "deposits", ["payment_id"])
    op.create_index(op.f("ix_deposits_status_created_at"), "deposits", ["status", "created_at"])
    op.create_index("ix_deposits_unreconciled", "deposits", ["created_at"], postgresql_where=sa.text("NOT reconciled"))
    op.create_index(
        op.f("ix_deposits_user_id_account_id_created_at"), "deposits", ["user_id", "account_id", "created_at"]
    )


def create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("order_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Numeric(precision=28, scale=8), nullable=False, comment="Lots"),
        sa.Column(
            "filled_size",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="Lots",
        ),
        sa.Column("limit_price", sa.Numeric(precision=28, scale=8), nullable=True),
        sa.Column(
            "stop_price",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="The trigger; of a trailing stop, where it stands now",
        ),
        sa.Column(
            "trail",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="Distance behind the best price, in the quote currency",
        ),
        sa.Column("trigger_by", sa.Text(), server_default="natural", nullable=False),
        sa.Column("fill_price", sa.Numeric(precision=28, scale=8), nullable=True, comment="Average over the fills"),
        sa.Column(
            "slippage",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="Quote currency per unit, in the average fill price; positive costs the customer",
        ),
        sa.Column(
            "fees",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD of commission",
        ),
        sa.Column(
            "realized_pnl",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD from what the fills closed, before fees",
        ),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column(
            "virtual_trade",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="Always true: every trade is simulated",
        ),
        sa.Column(
            "stop_loss",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="Bracket of the position that it opens",
        ),
        sa.Column(
            "take_profit",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="Bracket of the position that it opens",
        ),
        sa.Column(
            "leverage",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("1"),
            nullable=False,
            comment="Position value over margin",
        ),
        sa.Column(
            "margin",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD reserved while it rests",
        ),
        sa.Column("time_in_force", sa.Text(), server_default="gtc", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "reduce_only",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="May close a position, never open one",
        ),
        sa.Column(
            "client_order_id", sa.Text(), nullable=True, comment="The customer's own name for it, unique in the account"
        ),
        sa.Column("replaces", sa.Uuid(), nullable=True, comment="The order in whose place it stands"),
        sa.Column("replaced_by", sa.Uuid(), nullable=True, comment="The order that stands in its place"),
        sa.Column("reject_code", sa.Text(), nullable=True),
        sa.Column("cancel_code", sa.Text(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="When its last state was reached"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "'NaN'::numeric NOT IN (size, filled_size, limit_price, stop_price, trail, fill_price, stop_loss,"
            " take_profit, slippage, fees, realized_pnl, leverage, margin)",
            name=op.f("ck_orders_numbers"),
        ),
        sa.CheckConstraint(
            "(order_type = 'trailing_stop') = (trail IS NOT NULL)", name=op.f("ck_orders_trail_where_trailing")
        ),
        sa.CheckConstraint(
            "(order_type IN ('limit', 'stop_limit')) = (limit_price IS NOT NULL)",
            name=op.f("ck_orders_limit_price_where_limited"),
        ),
        sa.CheckConstraint(
            "(status = 'cancelled') = (cancel_code IS NOT NULL)", name=op.f("ck_orders_cancelled_has_code")
        ),
        sa.CheckConstraint("(status = 'filled') = (filled_size = size)", name=op.f("ck_orders_filled_whole")),
        sa.CheckConstraint(
            "(status = 'rejected') = (reject_code IS NOT NULL)", name=op.f("ck_orders_rejected_has_code")
        ),
        sa.CheckConstraint(
            "(status = 'replaced') = (replaced_by IS NOT NULL)", name=op.f("ck_orders_replaced_names_successor")
        ),
        sa.CheckConstraint(
            "(status IN ('accepted', 'partially_filled', 'pending', 'triggered')) = (finished_at IS NULL)",
            name=op.f("ck_orders_finished_has_time"),
        ),
        sa.CheckConstraint(
            "(status IN ('pending', 'rejected')) = (accepted_at IS NULL)", name=op.f("ck_orders_accepted_has_time")
        ),
        sa.CheckConstraint(
            "CASE WHEN order_type IN ('stop', 'stop_limit') THEN stop_price IS NOT NULL WHEN order_type ="
            " 'trailing_stop' THEN true ELSE stop_price IS NULL END",
            name=op.f("ck_orders_stop_price_where_stopped"),
        ),
        sa.CheckConstraint("btrim(client_order_id) <> ''", name=op.f("ck_orders_client_order_id_not_blank")),
        sa.CheckConstraint("cancel_code ~ '^[a-z][a-z0-9_]*$'", name=op.f("ck_orders_cancel_code_is_code")),
        sa.CheckConstraint(
            "expires_at IS NULL OR time_in_force IN ('gtd', 'day')", name=op.f("ck_orders_expires_only_when_timed")
        ),
        sa.CheckConstraint(
            "filled_size = 0 OR status NOT IN ('pending', 'accepted', 'triggered', 'rejected')",
            name=op.f("ck_orders_unfilled_until_filling"),
        ),
        sa.CheckConstraint(
            "order_type IN ('market', 'limit', 'stop', 'stop_limit', 'trailing_stop')",
            name=op.f("ck_orders_order_type_known"),
        ),
        sa.CheckConstraint("reject_code ~ '^[a-z][a-z0-9_]*$'", name=op.f("ck_orders_reject_code_is_code")),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("ck_orders_side_known")),
        sa.CheckConstraint(
            "status <> 'partially_filled' OR filled_size > 0 AND filled_size < size",
            name=op.f("ck_orders_partially_filled_in_part"),
        ),
        sa.CheckConstraint(
            "status <> 'triggered' OR triggered_at IS NOT NULL", name=op.f("ck_orders_triggered_has_time")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'accepted', 'triggered', 'partially_filled', 'filled', 'rejected',"
            " 'cancelled', 'expired', 'replaced')",
            name=op.f("ck_orders_status_known"),
        ),
        sa.CheckConstraint(
            "time_in_force <> 'gtd' OR expires_at IS NOT NULL", name=op.f("ck_orders_expires_when_good_till_time")
        ),
        sa.CheckConstraint(
            "time_in_force IN ('gtc', 'day', 'ioc', 'fok', 'gtd')", name=op.f("ck_orders_time_in_force_known")
        ),
        sa.CheckConstraint(
            "trigger_by IN ('natural', 'bid', 'ask', 'mid', 'last')", name=op.f("ck_orders_trigger_by_known")
        ),
        sa.CheckConstraint(
            "(filled_size > 0) = (fill_price IS NOT NULL)", name=op.f("ck_orders_fill_price_when_filled")
        ),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_orders_expires_after_made")),
        sa.CheckConstraint("fees >= 0", name=op.f("ck_orders_fees_not_negative")),
        sa.CheckConstraint("filled_size >= 0 AND filled_size <= size", name=op.f("ck_orders_filled_within_size")),
        sa.CheckConstraint(
            "least(accepted_at, finished_at) >= created_at AND triggered_at >= accepted_at",
            name=op.f("ck_orders_times_in_order"),
        ),
        sa.CheckConstraint(
            "least(limit_price, stop_price, trail, fill_price, stop_loss, take_profit) > 0",
            name=op.f("ck_orders_prices_positive"),
        ),
        sa.CheckConstraint("leverage BETWEEN 1 AND 1000", name=op.f("ck_orders_leverage_bounded")),
        sa.CheckConstraint("margin >= 0", name=op.f("ck_orders_margin_not_negative")),
        sa.CheckConstraint("replaces <> id AND replaced_by <> id", name=op.f("ck_orders_replaces_another")),
        sa.CheckConstraint("size > 0", name=op.f("ck_orders_size_positive")),
        sa.CheckConstraint("virtual_trade", name=op.f("ck_orders_virtual_trade_true")),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_orders_instrument_id_instruments"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "account_id"],
            ["accounts.user_id", "accounts.id"],
            name=op.f("fk_orders_user_id_account_id_accounts"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "replaced_by"],
            ["orders.user_id", "orders.id"],
            name=op.f("fk_orders_user_id_replaced_by_orders"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "replaces"],
            ["orders.user_id", "orders.id"],
            name=op.f("fk_orders_user_id_replaces_orders"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_orders")),
        sa.UniqueConstraint(
            "user_id", "account_id", "client_order_id", name=op.f("uq_orders_user_id_account_id_client_order_id")
        ),
        comment="Simulated orders: prices are the market's, money is VUSD",
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(op.f("ix_orders_instrument_id_created_at"), "orders", ["instrument_id", "created_at"])
    op.create_index(
        "ix_orders_live",
        "orders",
        ["status", "created_at"],
        postgresql_where=sa.text("status IN ('accepted', 'partially_filled', 'pending', 'triggered')"),
    )
    op.create_index(op.f("ix_orders_user_id_account_id_created_at"), "orders", ["user_id", "account_id", "created_at"])
    op.create_index(
        op.f("ix_orders_user_id_replaced_by"),
        "orders",
        ["user_id", "replaced_by"],
        postgresql_where=sa.text("replaced_by IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_orders_user_id_replaces"),
        "orders",
        ["user_id", "replaces"],
        postgresql_where=sa.text("replaces IS NOT NULL"),
    )


def create_positions() -> None:
    op.create_table(
        "positions",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column(
            "size",
            sa.Numeric(precision=28, scale=8),
            nullable=False,
            comment="Lots open; once closed, those that the last close closed",
        ),
        sa.Column(
            "entry_price",
            sa.Numeric(precision=28, scale=8),
            nullable=False,
            comment="Average over the fills that opened it",
        ),
        sa.Column(
            "current_price",
            sa.Numeric(precision=28, scale=8),
            nullable=False,
            comment="The exit price when last valued, or when closed",
        ),
        sa.Column(
            "unrealized_pnl",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD, when last valued",
        ),
        sa.Column(
            "unrealized_pnl_pct",
            sa.Numeric(precision=18, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="Per cent of margin_used that unrealized_pnl is",
        ),
        sa.Column(
            "realized_pnl",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD from the lots closed so far",
        ),
        sa.Column("stop_loss", sa.Numeric(precision=28, scale=8), nullable=True),
        sa.Column("take_profit", sa.Numeric(precision=28, scale=8), nullable=True),
        sa.Column(
            "leverage",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("1"),
            nullable=False,
            comment="Position value over margin",
        ),
        sa.Column(
            "margin_used",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD bound by it",
        ),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True, comment="A code: stop_loss, stop_out, …"),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "'NaN'::numeric NOT IN (size, entry_price, current_price, stop_loss, take_profit, leverage,"
            " margin_used, unrealized_pnl, unrealized_pnl_pct, realized_pnl)",
            name=op.f("ck_positions_numbers"),
        ),
        sa.CheckConstraint(
            "(status = 'closed') = (close_reason IS NOT NULL)", name=op.f("ck_positions_closed_has_reason")
        ),
        sa.CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_positions_closed_has_time")),
        sa.CheckConstraint("close_reason ~ '^[a-z][a-z0-9_]*$'", name=op.f("ck_positions_close_reason_is_code")),
        sa.CheckConstraint("side IN ('long', 'short')", name=op.f("ck_positions_side_known")),
        sa.CheckConstraint(
            "status = 'open' OR unrealized_pnl = 0 AND unrealized_pnl_pct = 0 AND margin_used = 0",
            name=op.f("ck_positions_closed_is_settled"),
        ),
        sa.CheckConstraint("status IN ('open', 'closed')", name=op.f("ck_positions_status_known")),
        sa.CheckConstraint("closed_at >= opened_at", name=op.f("ck_positions_closed_after_opened")),
        sa.CheckConstraint(
            "least(entry_price, current_price, stop_loss, take_profit) > 0", name=op.f("ck_positions_prices_positive")
        ),
        sa.CheckConstraint("leverage BETWEEN 1 AND 1000", name=op.f("ck_positions_leverage_bounded")),
        sa.CheckConstraint("margin_used >= 0", name=op.f("ck_positions_margin_used_not_negative")),
        sa.CheckConstraint("size > 0", name=op.f("ck_positions_size_positive")),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_positions_instrument_id_instruments"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "account_id"],
            ["accounts.user_id", "accounts.id"],
            name=op.f("fk_positions_user_id_account_id_accounts"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_positions")),
        comment="Simulated positions: prices are the market's, money is VUSD",
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        op.f("ix_positions_closed_at"), "positions", ["closed_at"], postgresql_where=sa.text("closed_at IS NOT NULL")
    )
    op.create_index(op.f("ix_positions_instrument_id_status"), "positions", ["instrument_id", "status"])
    op.create_index(
        "ix_positions_open", "positions", ["user_id", "account_id"], postgresql_where=sa.text("status = 'open'")
    )
    op.create_index(op.f("ix_positions_opened_at"), "positions", ["opened_at"])
    op.create_index(
        op.f("ix_positions_user_id_account_id_opened_at"), "positions", ["user_id", "account_id", "opened_at"]
    )


def create_support_tickets() -> None:
    op.create_table(
        "support_tickets",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("priority", sa.Text(), server_default="normal", nullable=False),
        sa.Column(
            "assigned_to",
            sa.Uuid(),
            nullable=True,
            comment="A staff member's user id; no foreign key, as that row lives elsewhere",
        ),
        sa.Column("resolution", sa.Text(), nullable=True, comment="Read by the customer"),
        sa.Column("related_object_type", sa.Text(), nullable=True, comment="The singular of the object's table"),
        sa.Column("related_object_id", sa.Text(), nullable=True),
        sa.Column(
            "first_response_due_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="By the policy that held when the ticket was made",
        ),
        sa.Column(
            "first_responded_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The first public answer by a person",
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(status IN ('resolved', 'closed')) = (resolved_at IS NOT NULL)",
            name=op.f("ck_support_tickets_resolved_has_time"),
        ),
        sa.CheckConstraint("btrim(description) <> ''", name=op.f("ck_support_tickets_description_not_blank")),
        sa.CheckConstraint(
            "btrim(related_object_id) <> ''", name=op.f("ck_support_tickets_related_object_id_not_blank")
        ),
        sa.CheckConstraint("btrim(subject) <> ''", name=op.f("ck_support_tickets_subject_not_blank")),
        sa.CheckConstraint(
            "category IN ('account', 'deposit', 'withdrawal', 'trading', 'kyc', 'other')",
            name=op.f("ck_support_tickets_category_known"),
        ),
        sa.CheckConstraint(
            "priority IN ('low', 'normal', 'high', 'urgent')", name=op.f("ck_support_tickets_priority_known")
        ),
        sa.CheckConstraint(
            "related_object_type ~ '^[a-z][a-z0-9_]*$'", name=op.f("ck_support_tickets_related_object_type_is_code")
        ),
        sa.CheckConstraint(
            "status <> 'in_progress' OR assigned_to IS NOT NULL",
            name=op.f("ck_support_tickets_in_progress_has_assignee"),
        ),
        sa.CheckConstraint(
            "status <> 'waiting_for_customer' OR first_responded_at IS NOT NULL",
            name=op.f("ck_support_tickets_waiting_after_response"),
        ),
        sa.CheckConstraint(
            "status IN ('open', 'in_progress', 'waiting_for_customer', 'resolved', 'closed')",
            name=op.f("ck_support_tickets_status_known"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('resolved', 'closed') OR coalesce(btrim(resolution), '') <> ''",
            name=op.f("ck_support_tickets_resolved_has_resolution"),
        ),
        sa.CheckConstraint(
            "(related_object_type IS NULL) = (related_object_id IS NULL)",
            name=op.f("ck_support_tickets_related_object_named_whole"),
        ),
        sa.CheckConstraint("assigned_to <> user_id", name=op.f("ck_support_tickets_not_assigned_to_self")),
        sa.CheckConstraint("first_responded_at >= created_at", name=op.f("ck_support_tickets_responded_after_made")),
        sa.CheckConstraint(
            "first_response_due_at > created_at", name=op.f("ck_support_tickets_response_due_after_made")
        ),
        sa.CheckConstraint("resolved_at >= created_at", name=op.f("ck_support_tickets_resolved_after_made")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_support_tickets_user_id_users"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_support_tickets")),
        comment="Customers' questions and complaints",
    )
    op.create_index(
        op.f("ix_support_tickets_assigned_to_status"),
        "support_tickets",
        ["assigned_to", "status"],
        postgresql_where=sa.text("assigned_to IS NOT NULL"),
    )
    op.create_index(op.f("ix_support_tickets_created_at"), "support_tickets", ["created_at"])
    op.create_index(
        op.f("ix_support_tickets_related_object_type_related_object_id"),
        "support_tickets",
        ["related_object_type", "related_object_id"],
    )
    op.create_index(
        op.f("ix_support_tickets_resolved_at"),
        "support_tickets",
        ["resolved_at"],
        postgresql_where=sa.text("resolved_at IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_support_tickets_status_priority_created_at"), "support_tickets", ["status", "priority", "created_at"]
    )
    op.create_index(
        "ix_support_tickets_unanswered",
        "support_tickets",
        ["first_response_due_at"],
        postgresql_where=sa.text("first_responded_at IS NULL"),
    )
    op.create_index(op.f("ix_support_tickets_user_id_created_at"), "support_tickets", ["user_id", "created_at"])


def create_user_investments() -> None:
    op.create_table(
        "user_investments",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column(
            "allocated_amount",
            sa.Numeric(precision=28, scale=8),
            nullable=False,
            comment="VUSD: cost of the units held, in the book allocated",
        ),
        sa.Column("units", sa.Numeric(precision=28, scale=8), nullable=False, comment="Units of the plan held"),
        sa.Column(
            "current_value",
            sa.Numeric(precision=28, scale=8),
            nullable=False,
            comment="VUSD: units at the plan's NAV, when last marked",
        ),
        sa.Column(
            "return_pct",
            sa.Numeric(precision=18, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="Per cent, by the plan's NAV since opened",
        ),
        sa.Column(
            "unrealized_pnl",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="VUSD: current_value less cost",
        ),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "'NaN'::numeric NOT IN (allocated_amount, units, current_value, return_pct, unrealized_pnl)",
            name=op.f("ck_user_investments_numbers"),
        ),
        sa.CheckConstraint(
            "CASE WHEN is_active THEN units > 0 AND allocated_amount > 0 ELSE units = 0 END",
            name=op.f("ck_user_investments_active_holds_units"),
        ),
        sa.CheckConstraint("closed_at >= opened_at", name=op.f("ck_user_investments_closed_after_opened")),
        sa.CheckConstraint("current_value >= 0", name=op.f("ck_user_investments_current_value_not_negative")),
        sa.CheckConstraint("is_active = (closed_at IS NULL)", name=op.f("ck_user_investments_closed_has_time")),
        sa.CheckConstraint(
            "is_active OR allocated_amount = 0 AND current_value = 0", name=op.f("ck_user_investments_closed_is_empty")
        ),
        sa.CheckConstraint("return_pct >= -100", name=op.f("ck_user_investments_return_possible")),
        sa.CheckConstraint(
            "unrealized_pnl = current_value - allocated_amount", name=op.f("ck_user_investments_unrealized_pnl_adds_up")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["ai_investment_plans.id"],
            name=op.f("fk_user_investments_plan_id_ai_investment_plans"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "account_id"],
            ["accounts.user_id", "accounts.id"],
            name=op.f("fk_user_investments_user_id_account_id_accounts"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_user_investments")),
        comment="Customers' units in plans; simulated money",
    )
    op.create_index(
        op.f("ix_user_investments_closed_at"),
        "user_investments",
        ["closed_at"],
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_user_investments_opened_at"), "user_investments", ["opened_at"])
    op.create_index(op.f("ix_user_investments_plan_id_is_active"), "user_investments", ["plan_id", "is_active"])
    op.create_index(
        op.f("ix_user_investments_user_id_account_id_opened_at"),
        "user_investments",
        ["user_id", "account_id", "opened_at"],
    )


def create_wallets() -> None:
    op.create_table(
        "wallets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wallet_type", sa.Text(), nullable=False, comment="business_deposit, …"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False, comment="The coin held, in the provider's ticker"),
        sa.Column("network", sa.Text(), nullable=True),
        sa.Column(
            "balance",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="USD held by the books (LED-6)",
        ),
        sa.Column(
            "reserved_amount",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="USD of approved withdrawals that have not left",
        ),
        sa.Column(
            "available",
            sa.Numeric(precision=28, scale=8),
            sa.Computed("balance - reserved_amount", persisted=True),
            nullable=False,
        ),
        sa.Column("last_reconciled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reconciliation_status", sa.Text(), server_default="never", nullable=False),
        sa.Column(
            "difference",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="USD: the provider's figure less ours at the last reconciliation",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(reconciliation_status = 'never') = (last_reconciled_at IS NULL)",
            name=op.f("ck_wallets_reconciled_has_time"),
        ),
        sa.CheckConstraint("btrim(currency) <> ''", name=op.f("ck_wallets_currency_not_blank")),
        sa.CheckConstraint("btrim(name) <> ''", name=op.f("ck_wallets_name_not_blank")),
        sa.CheckConstraint("btrim(wallet_type) <> ''", name=op.f("ck_wallets_wallet_type_not_blank")),
        sa.CheckConstraint(
            "reconciliation_status IN ('never', 'matched', 'different')",
            name=op.f("ck_wallets_reconciliation_status_known"),
        ),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_wallets_balance_not_negative")),
        sa.CheckConstraint("'NaN'::numeric NOT IN (reserved_amount, difference)", name=op.f("ck_wallets_numbers")),
        sa.CheckConstraint(
            "reserved_amount >= 0 AND reserved_amount <= balance", name=op.f("ck_wallets_reserved_within_balance")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallets")),
        sa.UniqueConstraint("name", name=op.f("uq_wallets_name")),
        comment="Where the real money is; balance is minus the sum of the custody legs that name the wallet",
    )


def create_ledger_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column(
            "sequence", sa.BigInteger(), nullable=False, comment="1, 2, 3 … within the account, without gaps (LED-3)"
        ),
        sa.Column(
            "journal_id",
            sa.Uuid(),
            nullable=False,
            comment="The entries of one event, all or none; posted once (LED-5)",
        ),
        sa.Column("wallet_id", sa.Uuid(), nullable=True, comment="The custody wallet that a custody leg stands for"),
        sa.Column("reverses", sa.Uuid(), nullable=True, comment="The journal that this one reverses"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, comment="Never runs backwards within an account"
        ),
        sa.Column("line_no", sa.SmallInteger(), nullable=False, comment="1, 2, 3 … within the journal"),
        sa.Column("entry_type", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False, comment="Where the amount enters (or leaves, when negative)"),
        sa.Column(
            "contra", sa.Text(), nullable=False, comment="The other side: a house book, or another book of this account"
        ),
        sa.Column("amount", sa.Numeric(precision=28, scale=8), nullable=False),
        sa.Column(
            "balance_after",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="Balance of the book; NULL on the house's account",
        ),
        sa.Column(
            "contra_balance_after",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="Balance of the contra where it is a book of this account",
        ),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("reference_type", sa.Text(), nullable=False),
        sa.Column("reference_id", sa.Text(), nullable=False),
        sa.Column(
            "metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("content_hash", sa.LargeBinary(), nullable=True, comment="SHA-256 of the journal, on its first line"),
        sa.Column(
            "entry_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the previous hash and this entry (LED-3)",
        ),
        sa.CheckConstraint(
            "(contra = 'custody') = (wallet_id IS NOT NULL)", name=op.f("ck_ledger_entries_custody_names_wallet")
        ),
        sa.CheckConstraint("btrim(description) <> ''", name=op.f("ck_ledger_entries_description_not_blank")),
        sa.CheckConstraint("btrim(reference_id) <> ''", name=op.f("ck_ledger_entries_reference_id_not_blank")),
        sa.CheckConstraint("jsonb_typeof(metadata) = 'object'", name=op.f("ck_ledger_entries_metadata_object")),
        sa.CheckConstraint(
            "ledger_is_own_book(book) = (account_id <> '00000000-0000-7000-8000-000000000001') AND"
            " ledger_is_own_book(book) = (balance_after IS NOT NULL) AND ledger_is_own_book(contra) ="
            " (contra_balance_after IS NOT NULL)",
            name=op.f("ck_ledger_entries_balances_of_own_books"),
        ),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_ledger_entries_amount_not_zero")),
        sa.CheckConstraint("'NaN'::numeric NOT IN (amount)", name=op.f("ck_ledger_entries_numbers")),
        sa.CheckConstraint(
            "ledger_chart_allows(entry_type, unit, book, contra, amount, reference_type)",
            name=op.f("ck_ledger_entries_in_chart"),
        ),
        sa.CheckConstraint(
            "ledger_unit_of(book) = unit AND ledger_unit_of(contra) = unit", name=op.f("ck_ledger_entries_one_unit")
        ),
        sa.CheckConstraint(
            "octet_length(entry_hash) = 32 AND (line_no = 1) = (content_hash IS NOT NULL) AND (content_hash"
            " IS NULL OR octet_length(content_hash) = 32)",
            name=op.f("ck_ledger_entries_hashes_present"),
        ),
        sa.CheckConstraint("reverses IS NULL OR line_no = 1", name=op.f("ck_ledger_entries_reverses_on_first_line")),
        sa.CheckConstraint("sequence > 0 AND line_no > 0", name=op.f("ck_ledger_entries_numbered_from_one")),
        sa.ForeignKeyConstraint(
            ["user_id", "account_id"],
            ["accounts.user_id", "accounts.id"],
            name=op.f("fk_ledger_entries_user_id_account_id_accounts"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallets.id"], name=op.f("fk_ledger_entries_wallet_id_wallets"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("user_id", "account_id", "sequence", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint(
            "user_id", "journal_id", "line_no", name=op.f("uq_ledger_entries_user_id_journal_id_line_no")
        ),
        comment="Append-only: one row is one two-sided transfer; numbered and hash-chained per account",
    )
    op.create_index("ix_ledger_entries_book", "ledger_entries", ["account_id", "book", "sequence"])
    op.create_index(
        "ix_ledger_entries_contra",
        "ledger_entries",
        ["account_id", "contra", "sequence"],
        postgresql_where=sa.text("contra_balance_after IS NOT NULL"),
    )
    op.create_index("ix_ledger_entries_created_at", "ledger_entries", ["created_at"], postgresql_using="brin")
    op.create_index(
        "ix_ledger_entries_wallet_id",
        "ledger_entries",
        ["wallet_id"],
        postgresql_where=sa.text("wallet_id IS NOT NULL"),
    )
    op.create_index(
        "uq_ledger_entries_reverses",
        "ledger_entries",
        ["user_id", "reverses"],
        unique=True,
        postgresql_where=sa.text("reverses IS NOT NULL"),
    )


def create_withdrawals() -> None:
    op.create_table(
        "withdrawals",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=True, comment="The wallet it is reserved in and paid from"),
        sa.Column(
            "requested_amount",
            sa.Numeric(precision=28, scale=8),
            nullable=False,
            comment="USD asked for, fees included",
        ),
        sa.Column(
            "approved_amount", sa.Numeric(precision=28, scale=8), nullable=True, comment="USD approved, fees included"
        ),
        sa.Column(
            "sent_amount",
            sa.Numeric(precision=28, scale=8),
            nullable=True,
            comment="USD sent: approved_amount less fees",
        ),
        sa.Column(
            "network_fee",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="USD charged to the customer",
        ),
        sa.Column(
            "processing_fee",
            sa.Numeric(precision=28, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="USD charged to the customer",
        ),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column(
            "revision",
            sa.BigInteger(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the customer's edits; an approval names the one it saw",
        ),
        sa.Column("payout_address", sa.Text(), nullable=False),
        sa.Column("payout_currency", sa.Text(), nullable=False, comment="The coin, in the provider's ticker"),
        sa.Column("network", sa.Text(), nullable=True),
        sa.Column("transaction_hash", sa.Text(), nullable=True),
        sa.Column("provider_batch_id", sa.Text(), nullable=True, comment="The provider's payout batch"),
        sa.Column("provider_payout_id", sa.Text(), nullable=True, comment="The provider's payout within the batch"),
        sa.Column(
            "reviewed_by",
            sa.Uuid(),
            nullable=True,
            comment="A staff member's user id; no foreign key, as that row lives elsewhere",
        ),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("review_notes", sa.Text(), nullable=True, comment="For staff"),
        sa.Column("rejection_reason", sa.Text(), nullable=True, comment="Read by the customer"),
        sa.Column(
            "aml_cleared_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the AML rules let it pass; it waits until then",
        ),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "processing_at", sa.DateTime(timezone=True), nullable=True, comment="When the first payout was attempted"
        ),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True, comment="When a payout last failed"),
        sa.Column("decide_by", sa.DateTime(timezone=True), nullable=False, comment="Deadline of the decision (T1)"),
        sa.Column(
            "send_by", sa.DateTime(timezone=True), nullable=True, comment="Deadline of the payout, once approved (T1)"
        ),
        sa.Column(
            "overdue_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Since when a deadline has been missed (T1)",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "'NaN'::numeric NOT IN (requested_amount, approved_amount, sent_amount, network_fee, processing_fee)",
            name=op.f("ck_withdrawals_numbers"),
        ),
        sa.CheckConstraint(
            "(status = 'cancelled') = (cancelled_at IS NOT NULL)", name=op.f("ck_withdrawals_cancelled_has_time")
        ),
        sa.CheckConstraint(
            "(status = 'completed') = (completed_at IS NOT NULL)", name=op.f("ck_withdrawals_completed_has_time")
        ),
        sa.CheckConstraint(
            "(status = 'completed') = (sent_amount IS NOT NULL)", name=op.f("ck_withdrawals_completed_is_sent")
        ),
        sa.CheckConstraint(
            "(status = 'rejected') = (rejected_at IS NOT NULL)", name=op.f("ck_withdrawals_rejected_has_time")
        ),
        sa.CheckConstraint(
            "(status = 'rejected') = (rejection_reason IS NOT NULL) AND coalesce(btrim(rejection_reason), '-') <> ''",
            name=op.f("ck_withdrawals_rejected_has_reason"),
        ),
        sa.CheckConstraint("btrim(network) <> ''", name=op.f("ck_withdrawals_network_not_blank")),
        sa.CheckConstraint("btrim(payout_address) <> ''", name=op.f("ck_withdrawals_payout_address_not_blank")),
        sa.CheckConstraint("btrim(payout_currency) <> ''", name=op.f("ck_withdrawals_payout_currency_not_blank")),
        sa.CheckConstraint("btrim(provider_batch_id) <> ''", name=op.f("ck_withdrawals_provider_batch_id_not_blank")),
        sa.CheckConstraint("btrim(provider_payout_id) <> ''", name=op.f("ck_withdrawals_provider_payout_id_not_blank")),
        sa.CheckConstraint("btrim(review_notes) <> ''", name=op.f("ck_withdrawals_review_notes_not_blank")),
        sa.CheckConstraint("btrim(transaction_hash) <> ''", name=op.f("ck_withdrawals_transaction_hash_not_blank")),
        sa.CheckConstraint(
            "status <> 'completed' OR transaction_hash IS NOT NULL OR provider_payout_id IS NOT NULL",
            name=op.f("ck_withdrawals_completed_has_record"),
        ),
        sa.CheckConstraint(
            "status <> 'failed_review' OR failed_at IS NOT NULL", name=op.f("ck_withdrawals_failed_has_time")
        ),
        sa.CheckConstraint(
            "status <> 'pending' OR approved_at IS NULL", name=op.f("ck_withdrawals_unapproved_when_pending")
        ),
        sa.CheckConstraint(
            "status <> 'rejected' OR reviewed_by IS NOT NULL", name=op.f("ck_withdrawals_rejected_is_reviewed")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'processing', 'completed', 'rejected', 'cancelled', 'failed_review')",
            name=op.f("ck_withdrawals_status_known"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('approved', 'completed', 'failed_review', 'processing') OR approved_amount IS NOT NULL",
            name=op.f("ck_withdrawals_approved_has_amount"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('processing', 'completed', 'failed_review') OR processing_at IS NOT NULL",
            name=op.f("ck_withdrawals_processing_has_time"),
        ),
        sa.CheckConstraint(
            "(approved_amount IS NULL) = (approved_at IS NULL)", name=op.f("ck_withdrawals_approved_amount_has_time")
        ),
        sa.CheckConstraint(
            "approved_amount > 0 AND approved_amount <= requested_amount",
            name=op.f("ck_withdrawals_approved_within_requested"),
        ),
        sa.CheckConstraint(
            "approved_at IS NULL OR aml_cleared_at IS NOT NULL", name=op.f("ck_withdrawals_approved_is_cleared")
        ),
        sa.CheckConstraint(
            "cancelled_at IS NULL OR approved_at IS NULL", name=op.f("ck_withdrawals_cancelled_only_unapproved")
        ),
        sa.CheckConstraint("completed_at >= processing_at", name=op.f("ck_withdrawals_completed_after_processing")),
        sa.CheckConstraint(
            "decide_by > created_at AND send_by > created_at", name=op.f("ck_withdrawals_deadlines_after_made")
        ),
        sa.CheckConstraint(
            "least(aml_cleared_at, reviewed_at, approved_at, rejected_at, cancelled_at) >= created_at",
            name=op.f("ck_withdrawals_steps_after_made"),
        ),
        sa.CheckConstraint("network_fee >= 0 AND processing_fee >= 0", name=op.f("ck_withdrawals_fees_not_negative")),
        sa.CheckConstraint(
            "overdue_since >= least(decide_by, send_by)", name=op.f("ck_withdrawals_overdue_after_deadline")
        ),
        sa.CheckConstraint("processing_at >= approved_at", name=op.f("ck_withdrawals_processing_after_approved")),
        sa.CheckConstraint(
            "processing_at IS NULL OR approved_at IS NOT NULL", name=op.f("ck_withdrawals_processing_only_approved")
        ),
        sa.CheckConstraint("requested_amount > 0", name=op.f("ck_withdrawals_requested_amount_positive")),
        sa.CheckConstraint("reviewed_by <> user_id", name=op.f("ck_withdrawals_not_reviewed_by_self")),
        sa.CheckConstraint(
            "reviewed_by IS NULL OR reviewed_at IS NOT NULL", name=op.f("ck_withdrawals_reviewed_by_has_time")
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_withdrawals_revision_from_one")),
        sa.CheckConstraint(
            "sent_amount + network_fee + processing_fee = approved_amount",
            name=op.f("ck_withdrawals_sent_and_fees_use_approved"),
        ),
        sa.CheckConstraint(
            "sent_amount > 0 AND sent_amount <= approved_amount", name=op.f("ck_withdrawals_sent_within_approved")
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "account_id"],
            ["accounts.user_id", "accounts.id"],
            name=op.f("fk_withdrawals_user_id_account_id_accounts"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallets.id"], name=op.f("fk_withdrawals_wallet_id_wallets"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_withdrawals")),
        sa.UniqueConstraint("user_id", "provider_payout_id", name=op.f("uq_withdrawals_user_id_provider_payout_id")),
        comment="Real money going out, from request to payout",
    )
    op.create_index(
        op.f("ix_withdrawals_completed_at"),
        "withdrawals",
        ["completed_at"],
        postgresql_where=sa.text("completed_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_withdrawals_created_at"), "withdrawals", ["created_at"])
    op.create_index(
        op.f("ix_withdrawals_overdue_since"),
        "withdrawals",
        ["overdue_since"],
        postgresql_where=sa.text("overdue_since IS NOT NULL"),
    )
    op.create_index(op.f("ix_withdrawals_payout_address"), "withdrawals", ["payout_address"])
    op.create_index(
        op.f("ix_withdrawals_provider_payout_id"),
        "withdrawals",
        ["provider_payout_id"],
        postgresql_where=sa.text("provider_payout_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_withdrawals_status_created_at"), "withdrawals", ["status", "created_at"])
    op.create_index(
        "ix_withdrawals_undecided", "withdrawals", ["decide_by"], postgresql_where=sa.text("status = 'pending'")
    )
    op.create_index(
        "ix_withdrawals_unsent",
        "withdrawals",
        ["send_by"],
        postgresql_where=sa.text("status IN ('approved', 'processing')"),
    )
    op.create_index(
        op.f("ix_withdrawals_user_id_account_id_created_at"), "withdrawals", ["user_id", "account_id", "created_at"]
    )
    op.create_index(
        op.f("ix_withdrawals_wallet_id"),
        "withdrawals",
        ["wallet_id"],
        postgresql_where=sa.text("wallet_id IS NOT NULL"),
    )
