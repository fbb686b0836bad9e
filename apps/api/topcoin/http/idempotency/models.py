"""The table of idempotency keys: the answer of each command that was carried out, for a day."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from topcoin.http.idempotency.domain import HASH_BYTES, KEY_LENGTH_MAX
from topcoin.infra.database.tables import Base, CreatedAt, check, of_user


class IdempotencyKey(Base):
    """A key of a user's, what it was used for, and what was answered."""

    __tablename__ = "idempotency_keys"
    __table_args__: Any = (
        of_user(),
        check("key_form", f"key ~ '^[!-~]+$' AND char_length(key) <= {KEY_LENGTH_MAX}"),
        check("input_hash_length", f"octet_length(input_hash) = {HASH_BYTES}"),
        check("answer_is_success", "status_code BETWEEN 200 AND 399"),
        check("answer_whole", "num_nulls(status_code, answer_headers, answer_body) IN (0, 3)"),
        check("answer_headers_object", "jsonb_typeof(answer_headers) = 'object'"),
        check("expires_after_creation", "expires_at > created_at"),
        Index(None, "expires_at"),
        {
            "comment": "Answers of commands by Idempotency-Key; written in the command's own transaction",
            "info": {"placement": "customer", "grants": ("INSERT", "UPDATE", "DELETE"), "transient": True},
        },
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    input_hash: Mapped[bytes] = mapped_column(LargeBinary, comment="SHA-256 of method, path, query and body")
    status_code: Mapped[int | None] = mapped_column(comment="NULL only while the command is being carried out")
    answer_headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    answer_body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime] = mapped_column(comment="From then on the key is free again")
