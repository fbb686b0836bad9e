"""The wallet that development's journals move custody in."""

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.ledger.models import Wallet

DEVELOPMENT_WALLET: Final = "Development custody"


async def ensure_development_wallet(session: AsyncSession, new_wallet_id: UUID) -> UUID:
    """The id of the development wallet, which is made if there is none; others may be making it at the same moment."""
    row = {"id": new_wallet_id, "wallet_type": "business_deposit", "name": DEVELOPMENT_WALLET, "currency": "usd"}
    await session.execute(insert(Wallet).values(row).on_conflict_do_nothing(index_elements=[Wallet.name]))
    # A statement of its own: it sees the wallet that the one before had to wait for.
    return (await session.scalars(select(Wallet.id).where(Wallet.name == DEVELOPMENT_WALLET))).one()
