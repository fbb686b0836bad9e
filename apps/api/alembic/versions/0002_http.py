"""Idempotency keys of commands over HTTP.

Revision 0002, after 0001.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("input_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of method, path, query and body"),
        sa.Column(
            "status_code",
            sa.BigInteger(),
            nullable=True,
            comment="NULL only while the command is being carried out",
        ),
        sa.Column("answer_headers", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("answer_body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="From then on the key is free again",
        ),
        sa.CheckConstraint("key ~ '^[!-~]+$' AND char_length(key) <= 255", name=op.f("ck_idempotency_keys_key_form")),
        sa.CheckConstraint("octet_length(input_hash) = 32", name=op.f("ck_idempotency_keys_input_hash_length")),
        sa.CheckConstraint("status_code BETWEEN 200 AND 399", name=op.f("ck_idempotency_keys_answer_is_success")),
        sa.CheckConstraint(
            "num_nulls(status_code, answer_headers, answer_body) IN (0, 3)",
            name=op.f("ck_idempotency_keys_answer_whole"),
        ),
        sa.CheckConstraint(
            "jsonb_typeof(answer_headers) = 'object'", name=op.f("ck_idempotency_keys_answer_headers_object")
        ),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_idempotency_keys_expires_after_creation")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_idempotency_keys_user_id_users"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_keys")),
        comment="Answers of commands by Idempotency-Key; written in the command's own transaction",
    )
    op.create_index(op.f("ix_idempotency_keys_expires_at"), "idempotency_keys", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("idempotency_keys")
