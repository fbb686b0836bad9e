-- The chart of accounts (topcoin/ledger/chart/domain.py) as the CHECK constraints of ledger_entries see it; a test holds
-- the two together. These are functions because PostgreSQL reads the text of every CHECK anew for each statement that
-- writes: with the lists written out in the constraints, that reading took longer than posting a journal.

-- The unit of a book, NULL where there is no such book (P1).
CREATE FUNCTION ledger_unit_of(book text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
BEGIN
    IF book IN (
        'deposited', 'profit', 'review', 'hold', 'custody', 'operator_funds', 'unallocated',
        'payouts_in_transit', 'network_fees', 'processing_fees', 'valuation', 'credit_losses'
    ) THEN
        RETURN 'USD';
    ELSIF book IN (
        'virtual', 'virtual_hold', 'allocated', 'virtual_credit', 'operator_adjustment', 'simulated_market',
        'simulated_fees', 'simulated_financing', 'simulated_protection', 'simulated_plan_returns',
        'simulated_plan_fees', 'virtual_redeemed', 'correction_writeoff'
    ) THEN
        RETURN 'VUSD';
    END IF;
    RETURN NULL;
END
$$;

-- Whether a book is one of the seven of a customer's account.
CREATE FUNCTION ledger_is_own_book(book text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
BEGIN
    RETURN book IN ('deposited', 'profit', 'review', 'hold', 'virtual', 'virtual_hold', 'allocated');
END
$$;

-- Whether an entry type may stand between two books, in that direction, from that kind of source (LED-1, P3).
CREATE FUNCTION ledger_chart_allows(
    entry_type text, unit text, book text, contra text, amount numeric, reference_type text
) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
BEGIN
    RETURN concat_ws('/', entry_type, unit, book, contra, CASE WHEN amount > 0 THEN '+' ELSE '-' END, reference_type) IN (
        'admin_adjustment/VUSD/virtual/operator_adjustment/+/admin_adjustment',
        'admin_adjustment/VUSD/virtual/operator_adjustment/-/admin_adjustment',
        'correction_writeoff/VUSD/virtual/correction_writeoff/+/admin_adjustment',
        'credit_loss/USD/credit_losses/custody/-/deposit',
        'deposit/USD/deposited/custody/+/deposit',
        'deposit/USD/deposited/review/+/deposit',
        'deposit/USD/review/custody/+/deposit',
        'deposit/USD/review/unallocated/+/deposit',
        'deposit/VUSD/virtual/virtual_credit/+/deposit',
        'deposit_return/USD/deposited/custody/-/deposit',
        'deposit_return/USD/review/custody/-/deposit',
        'deposit_return/VUSD/virtual/virtual_credit/-/deposit',
        'fee/VUSD/virtual/simulated_fees/-/order',
        'fee/VUSD/virtual/simulated_fees/-/position',
        'financing/VUSD/virtual/simulated_financing/+/position',
        'financing/VUSD/virtual/simulated_financing/-/position',
        'network_fee/USD/hold/custody/-/deposit',
        'network_fee/USD/hold/custody/-/withdrawal',
        'network_fee/USD/network_fees/custody/-/wallet',
        'network_fee/USD/network_fees/custody/-/withdrawal',
        'network_fee/USD/review/custody/-/deposit',
        'network_fee/USD/review/custody/-/withdrawal',
        'operator_funding/USD/operator_funds/custody/+/wallet',
        'operator_funding/USD/operator_funds/custody/-/wallet',
        'payout/USD/payouts_in_transit/custody/+/withdrawal',
        'payout/USD/payouts_in_transit/custody/-/withdrawal',
        'plan_fee/VUSD/virtual/simulated_plan_fees/-/user_investment',
        'plan_investment/VUSD/allocated/virtual/+/user_investment',
        'plan_redemption/VUSD/virtual/allocated/+/user_investment',
        'plan_return/VUSD/virtual/simulated_plan_returns/+/user_investment',
        'plan_return/VUSD/virtual/simulated_plan_returns/-/user_investment',
        'processing_fee/USD/hold/processing_fees/-/withdrawal',
        'profit_approval/USD/profit/operator_funds/+/admin_adjustment',
        'profit_approval/VUSD/virtual/virtual_redeemed/-/admin_adjustment',
        'protection/VUSD/virtual/simulated_protection/+/position',
        'trade_pnl/VUSD/virtual/simulated_market/+/position',
        'trade_pnl/VUSD/virtual/simulated_market/-/position',
        'unmatched_receipt/USD/unallocated/custody/+/ipn_event',
        'valuation/USD/valuation/custody/+/wallet',
        'valuation/USD/valuation/custody/-/wallet',
        'withdrawal/USD/hold/deposited/+/withdrawal',
        'withdrawal/USD/hold/deposited/-/withdrawal',
        'withdrawal/USD/hold/payouts_in_transit/-/withdrawal',
        'withdrawal/USD/hold/profit/+/withdrawal',
        'withdrawal/USD/hold/profit/-/withdrawal',
        'withdrawal/VUSD/virtual_hold/virtual/+/withdrawal',
        'withdrawal/VUSD/virtual_hold/virtual/-/withdrawal',
        'withdrawal/VUSD/virtual_hold/virtual_credit/-/withdrawal'
    );
END
$$;
