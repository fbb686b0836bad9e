"""Sign-in: sessions, API keys, staff roles; and the heads of the audit trail's chains.

Revision 0003.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("audit_heads", "user_roles", "user_sessions", "session_token_claims", "api_keys", "api_key_claims")
"""Each is created by the function `create_…` of its name."""

NO_HASH = f"'\\x{'00' * 32}'::bytea"


def upgrade() -> None:
    create_audit_heads()
    create_user_roles()
    create_user_sessions()
    create_session_token_claims()
    create_api_keys()
    create_api_key_claims()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def create_audit_heads() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "sequence",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Of the newest row; 0 where there is none",
        ),
        sa.Column(
            "entry_hash",
            sa.LargeBinary(),
            server_default=sa.text(NO_HASH),
            nullable=False,
            comment="Of the newest row; 32 zero bytes where there is none",
        ),
        sa.CheckConstraint(f"(sequence = 0) = (entry_hash = {NO_HASH})", name=op.f("ck_audit_heads_empty_has_no_hash")),
        sa.CheckConstraint("octet_length(entry_hash) = 32", name=op.f("ck_audit_heads_hash_length")),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_audit_heads_sequence_not_negative")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_audit_heads_user_id_users"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_audit_heads")),
        comment="The end of each subject's chain of audits; locked while a row is added",
    )
    # The trails that exist already end where their newest rows are.
    op.execute("""
        INSERT INTO audit_heads (user_id, sequence, entry_hash)
        SELECT DISTINCT ON (user_id) user_id, sequence, entry_hash FROM audits ORDER BY user_id, sequence DESC
    """)


def create_user_roles() -> None:
    op.create_table(
        "user_roles",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "granted_by",
            sa.Uuid(),
            nullable=False,
            comment="A staff member's user id; no foreign key, as that row lives elsewhere",
        ),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "revoked_by",
            sa.Uuid(),
            nullable=True,
            comment="A staff member's user id; no foreign key, as that row lives elsewhere",
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True, comment="NULL while the role is held"),
        sa.CheckConstraint(
            "role IN ('support', 'compliance', 'treasury', 'plan_manager', 'auditor', 'admin')",
            name=op.f("ck_user_roles_role_known"),
        ),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_user_roles_revoked_whole")),
        sa.CheckConstraint("granted_by <> user_id", name=op.f("ck_user_roles_not_granted_to_oneself")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_roles_user_id_users"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("user_id", "role", name=op.f("pk_user_roles")),
        comment="Staff roles. A role that was revoked and granted again has its latest times; audits have all",
    )


def create_user_sessions() -> None:
    op.create_table(
        "user_sessions",
        sa.Column(
            "token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token, which itself is kept nowhere"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="To about a minute; unused for too long, it has expired",
        ),
        sa.Column(
            "reauthenticated_at", sa.DateTime(timezone=True), nullable=False, comment="When the password was last given"
        ),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), nullable=False, comment="At the latest, however much it is used"
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ip_address", postgresql.INET(), nullable=True, comment="Of the sign-in"),
        sa.Column("user_agent", sa.Text(), nullable=True, comment="Of the sign-in"),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_user_sessions_expires_after_creation")),
        sa.CheckConstraint(
            "last_seen_at BETWEEN created_at AND expires_at", name=op.f("ck_user_sessions_seen_before_expiry")
        ),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_user_sessions_token_hash_length")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_sessions_user_id_users"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_user_sessions")),
        sa.UniqueConstraint("user_id", "token_hash", name=op.f("uq_user_sessions_user_id_token_hash")),
        comment="Sign-ins, by cookie",
    )


def create_session_token_claims() -> None:
    op.create_table(
        "session_token_claims",
        sa.Column(
            "token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token, which itself is kept nowhere"
        ),
        sa.Column("user_id", sa.Uuid(), nullable=False, comment="No foreign key: the user lives on another shard"),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_session_token_claims_token_hash_length")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_session_token_claims")),
        comment="One row for each session's token",
    )


def create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column(
            "token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token, which itself is kept nowhere"
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="What its owner calls it"),
        sa.Column("prefix", sa.Text(), nullable=False, comment="How it begins, to recognise it by"),
        sa.Column(
            "scopes", postgresql.ARRAY(sa.Text()), nullable=False, comment="Permissions of its owner that it may use"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True, comment="To about a minute"),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("btrim(name) <> ''", name=op.f("ck_api_keys_name_not_blank")),
        sa.CheckConstraint("btrim(prefix) <> ''", name=op.f("ck_api_keys_prefix_not_blank")),
        sa.CheckConstraint(
            "cardinality(scopes) > 0 AND array_position(scopes, NULL) IS NULL", name=op.f("ck_api_keys_scopes_named")
        ),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_api_keys_expires_after_creation")),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_api_keys_token_hash_length")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id_users"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("user_id", "token_hash", name=op.f("uq_api_keys_user_id_token_hash")),
        comment="Credentials of programs",
    )


def create_api_key_claims() -> None:
    op.create_table(
        "api_key_claims",
        sa.Column(
            "token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token, which itself is kept nowhere"
        ),
        sa.Column("user_id", sa.Uuid(), nullable=False, comment="No foreign key: the user lives on another shard"),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_api_key_claims_token_hash_length")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_api_key_claims")),
        comment="One row for each API key",
    )
