-- The house's own account and its free money. The house's user row is inserted by the revision itself.
INSERT INTO accounts (user_id, id)
VALUES ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000001');

INSERT INTO house_funds (id, balance) VALUES (1, 0);

-- Every entry as two legs: +amount on the book, -amount on the contra. Legs of one unit add up to zero (LED-6).
CREATE VIEW ledger_postings AS
SELECT e.user_id, e.account_id, e.sequence, e.journal_id, e.line_no, e.entry_type, e.unit, e.created_at,
       leg.side, leg.book, leg.amount, leg.balance_after
  FROM ledger_entries AS e
 CROSS JOIN LATERAL (
    VALUES ('book', e.book, e.amount, e.balance_after),
           ('contra', e.contra, -e.amount, e.contra_balance_after)
 ) AS leg (side, book, amount, balance_after);

COMMENT ON VIEW ledger_postings IS 'Every ledger entry as two legs: +amount on the book, -amount on the contra';

-- The sequence of an account's newest entry at or before a moment, 0 where there is none. Since created_at never runs
-- backwards within an account, some twenty probes of the primary key answer it, with no index on (account, time).
CREATE FUNCTION ledger_sequence_at(p_user_id uuid, p_account_id uuid, p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    low bigint := 0;
    high bigint;
    middle bigint;
    middle_at timestamptz;
BEGIN
    SELECT entry_count INTO high FROM accounts WHERE user_id = p_user_id AND id = p_account_id;
    IF high IS NULL THEN
        RETURN 0;
    END IF;
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        SELECT created_at INTO middle_at
          FROM ledger_entries
         WHERE user_id = p_user_id AND account_id = p_account_id AND sequence = middle;
        IF middle_at <= p_at THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END
$$;
