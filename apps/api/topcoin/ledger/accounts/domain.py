"""What an account's row says, as plain values."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from topcoin.ledger.domain import PositionMode


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """The balances of one account: USD for the first four, VUSD for the rest."""

    user_id: UUID
    account_id: UUID
    deposited: Decimal
    profit: Decimal
    review: Decimal
    hold: Decimal
    virtual: Decimal
    virtual_hold: Decimal
    allocated: Decimal
    credit_due: Decimal
    margin_used: Decimal
    margin_available: Decimal
    equity: Decimal
    is_active: bool
    is_frozen: bool
    entry_count: int
    position_mode: PositionMode = PositionMode.NETTING

    @property
    def withdrawable(self) -> Decimal:
        """USD that can be asked for: deposited and approved profit."""
        return self.deposited + self.profit

    @property
    def virtual_free(self) -> Decimal:
        """VUSD that open positions leave free: what may be taken out of the virtual balance."""
        return max(Decimal(0), min(self.virtual, self.margin_available))


@dataclass(frozen=True, slots=True)
class TradingFigures:
    """What trading knows of an account after a valuation (VUSD; counts since the account was opened).

    `entry_count` is the account's at the valuation: figures that a posting has overtaken are not taken over.
    """

    entry_count: int

    equity: Decimal
    margin_used: Decimal
    margin_available: Decimal
    realized_pnl: Decimal
    total_trades: int
    winning_trades: int
    losing_trades: int
