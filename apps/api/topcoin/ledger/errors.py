"""Why the ledger refuses. Each code is stable; `REFUSALS` maps the codes that `ledger_post` returns."""

from topcoin.kernel.errors import Conflict, IdempotencyConflict, Invalid, NotFound, RuleBroken, TopCoinError


class InvalidJournal(Invalid):
    """A journal whose form is wrong, whatever the state of the books."""

    code = "invalid_journal"


class UnknownBook(InvalidJournal):
    """No such book."""

    code = "unknown_book"


class UnknownEntryType(InvalidJournal):
    """No such entry type."""

    code = "unknown_entry_type"


class WrongUnit(InvalidJournal):
    """A book of real money against one of simulated money (P1, LED-1)."""

    code = "wrong_unit"


class WrongContra(InvalidJournal):
    """The entry type never stands between these two books (LED-1)."""

    code = "wrong_contra"


class WrongDirection(InvalidJournal):
    """The entry type moves money the other way between these books (LED-1)."""

    code = "wrong_direction"


class WrongReference(InvalidJournal):
    """The entry type comes from another kind of event (LED-1)."""

    code = "wrong_reference"


class ZeroAmount(InvalidJournal):
    """An entry that moves nothing."""

    code = "zero_amount"


class InvalidText(InvalidJournal):
    """A text that is blank, too long, or holds what PostgreSQL cannot keep."""

    code = "invalid_text"


class HouseMismatch(InvalidJournal):
    """A house book on a customer's account, or a customer's book on the house's."""

    code = "house_mismatch"


class WalletMissing(InvalidJournal):
    """A custody leg without its wallet, or a wallet where no custody moves (LED-6)."""

    code = "wallet_missing"


class PostingRefused(RuleBroken):
    """The state of the books refuses a journal that is well formed."""

    code = "posting_refused"


class AccountNotFound(NotFound):
    """No such account for this user."""

    code = "account_not_found"


class WalletNotFound(NotFound):
    """No such custody wallet."""

    code = "wallet_not_found"


class AccountFrozen(PostingRefused):
    """A frozen or closed account starts nothing new."""

    code = "account_frozen"


class InsufficientFunds(PostingRefused):
    """A book would end below zero (LED-2)."""

    code = "insufficient_funds"


class InsufficientMargin(PostingRefused):
    """Open positions bind what was asked for."""

    code = "insufficient_margin"


class BalanceOutOfRange(PostingRefused):
    """A balance would no longer fit NUMERIC(28, 8)."""

    code = "balance_out_of_range"


class CreditExceedsDeposit(PostingRefused):
    """More virtual credit than the deposit brings (P3)."""

    code = "credit_exceeds_deposit"


class WrongEventShape(PostingRefused):
    """Entries that each may exist, but not together or alone in this event (LED-8)."""

    code = "wrong_event_shape"


class NotCovered(PostingRefused):
    """More than the free operator money (P5)."""

    code = "not_covered"


class WalletOverdrawn(PostingRefused):
    """More than the wallet holds (LED-6)."""

    code = "wallet_overdrawn"


class AccountChanged(Conflict):
    """The account moved on since its figures were read."""

    code = "account_changed"


class AlreadyReversed(Conflict):
    """The journal was reversed before."""

    code = "already_reversed"


class JournalNotFound(NotFound):
    """No such journal of this user's."""

    code = "journal_not_found"


class InvalidPeriod(Invalid):
    """A period of a statement that is none, or ends before it starts."""

    code = "invalid_period"


class StatementTooLong(RuleBroken):
    """More entries in a period than one statement shows."""

    code = "statement_too_long"


class ReversedJournalNotFound(NotFound):
    """The journal to reverse is not on this account."""

    code = "reversed_journal_not_found"


_EXPLANATIONS: dict[type[TopCoinError], str] = {
    AccountNotFound: "there is no such account; check the account's id and its owner",
    WalletNotFound: "there is no such custody wallet: {detail}",
    AccountFrozen: "the account is frozen or closed; nothing new can be started on it",
    InsufficientFunds: "the book {detail} would end below zero; lower the amount",
    InsufficientMargin: "open positions bind the virtual balance; lower the amount or close positions",
    BalanceOutOfRange: "a balance would exceed the twenty digits that are kept; lower the amount",
    CreditExceedsDeposit: "virtual credit comes only with a deposit, less what is still due; use an adjustment",
    WrongEventShape: "these entries do not make up the event: a write-off stands beside its adjustment, protection ends"
    " at zero, approved profit stands beside what it redeems",
    NotCovered: "this is more than the operator's free money in custody; fund it first",
    WalletOverdrawn: "the wallet does not hold that much beside what is reserved for withdrawals: {detail}",
    IdempotencyConflict: "this journal id was used before with other content; a new journal needs a new id",
    AlreadyReversed: "the journal was reversed before: {detail}",
    ReversedJournalNotFound: "the journal to reverse is not on this account: {detail}",
}

REFUSALS: dict[str, type[TopCoinError]] = {kind.code: kind for kind in _EXPLANATIONS}


def refusal(code: str, detail: str | None) -> TopCoinError:
    """The error for a code that the database gave."""
    kind = REFUSALS[code]
    return kind(_EXPLANATIONS[kind].format(detail=detail))
