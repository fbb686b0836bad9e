-- ledger_post: the one writer of ledger_entries, of the balances on accounts and wallets, and of house_funds.
--
-- It takes journals in order and decides each by itself: posted, duplicate, or refused with a code; a refused journal
-- leaves the others alone. Every row that a call can touch is locked once, in one order for everybody (accounts by key,
-- then house_funds, then wallets by id), so that calls in transactions of their own cannot deadlock. The locks leave
-- foreign keys to the rows alone: a command that has inserted a row of the account may post to it.
--
-- The caller hands over journals whose form it has checked (the chart of accounts, signs, precision); the CHECK
-- constraints of ledger_entries hold that line again, and misshapen arrays raise an error, since the caller may be
-- anyone with the application's role. What depends on the state of the books is decided here, under the locks.
--
-- Accounts:  p_account_users, p_account_ids    distinct, any order
-- Journals:  p_journal_accounts                index into the accounts, from 1
--            p_journal_ids                     distinct per user within one call; none is reversed by another of it
--            p_content_hashes, p_descriptions, p_reference_types, p_reference_ids, p_metadata (RFC 8785 text), p_reverses
-- Lines:     p_line_journals                   index into the journals, rising, without gaps
--            p_line_nos, p_entry_types, p_units, p_books, p_contras, p_amounts, p_wallets
-- p_now:     the time of posting, not in the future; NULL for the server's clock
--
-- Answers, one element a journal: codes ('posted', 'duplicate' or the reason of refusal) and details (the book or id
-- concerned); one element a line, NULL where nothing was written: sequences, balances, contra_balances, hashes.
CREATE FUNCTION ledger_post(
    p_account_users uuid[], p_account_ids uuid[],
    p_journal_accounts int[], p_journal_ids uuid[], p_content_hashes bytea[], p_descriptions text[],
    p_reference_types text[], p_reference_ids text[], p_metadata text[], p_reverses uuid[],
    p_line_journals int[], p_line_nos int[], p_entry_types text[], p_units text[], p_books text[], p_contras text[],
    p_amounts numeric[], p_wallets uuid[],
    p_now timestamptz,
    OUT codes text[], OUT details text[],
    OUT sequences bigint[], OUT balances numeric[], OUT contra_balances numeric[], OUT hashes bytea[]
)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
-- One plan per statement and session: planning anew would cost more than a single journal.
SET plan_cache_mode = force_generic_plan
-- And a plan made while tables are small must still be right when they have grown: keys are looked up by index, always.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    own_books CONSTANT text[] := ARRAY['deposited', 'profit', 'review', 'hold', 'virtual', 'virtual_hold', 'allocated'];
    -- Where the books that rules below speak of stand among them.
    deposited CONSTANT int := 1;
    virtual CONSTANT int := 5;
    virtual_hold CONSTANT int := 6;
    house_funds_books CONSTANT text[] := ARRAY['operator_funds', 'network_fees', 'valuation', 'credit_losses'];
    journal_count CONSTANT int := cardinality(p_journal_ids);
    line_count CONSTANT int := cardinality(p_line_nos);
    wallets_named CONSTANT boolean := cardinality(array_remove(p_wallets, NULL)) > 0;
    now_at CONSTANT timestamptz := coalesce(p_now, clock_timestamp());
    now_text CONSTANT text := to_char(now_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

    -- The locked accounts. position_of maps the caller's index of an account to its place here; 0 is "no such account".
    found int[];
    position_of int[] := array_fill(0, ARRAY[cardinality(p_account_ids)]);
    book_balances numeric[];
    dues numeric[];
    margins_used numeric[];
    margins_free numeric[];
    equities numeric[];
    entry_counts bigint[];
    heads bytea[];
    last_at timestamptz[];
    is_stopped boolean[];
    is_changed boolean[];

    known int[];
    known_hashes bytea[];
    created_at timestamptz[] := array_fill(NULL::timestamptz, ARRAY[journal_count]);
    funds numeric;
    wallet_ids uuid[];
    wallet_balances numeric[];
    wallet_reserves numeric[];

    j int;
    a int;
    first_line int;
    last_line int := 0;
    i int;
    b int;
    c int;
    w int;
    amount numeric(28, 8);
    balance numeric;
    lowest numeric;
    highest numeric;
    code text;
    detail text;
    virtual_before numeric;
    virtual_after numeric;
    margin_after numeric;
    equity_after numeric;
    credit_granted numeric;
    credit_change numeric;
    deposited_in numeric;
    funds_change numeric;
    virtual_hold_change numeric;
    is_settlement boolean;
    needs_margin boolean;
    is_protected boolean;
    adjusted numeric;
    written_off numeric;
    approved numeric;
    redeemed numeric;
    own_text text;
    at_text text;
    payload text;
BEGIN
    IF cardinality(p_account_users) <> cardinality(p_account_ids)
       OR array_length(array_positions(
                ARRAY[cardinality(p_journal_accounts), cardinality(p_content_hashes), cardinality(p_descriptions),
                      cardinality(p_reference_types), cardinality(p_reference_ids), cardinality(p_metadata),
                      cardinality(p_reverses)],
                journal_count), 1) IS DISTINCT FROM 7
       OR array_length(array_positions(
                ARRAY[cardinality(p_line_journals), cardinality(p_entry_types), cardinality(p_units),
                      cardinality(p_books), cardinality(p_contras), cardinality(p_amounts), cardinality(p_wallets)],
                line_count), 1) IS DISTINCT FROM 7
       OR p_line_journals[1] <> 1 OR p_line_journals[line_count] <> journal_count THEN
        RAISE EXCEPTION 'the arrays do not fit each other' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF now_at > clock_timestamp() + interval '1 minute' THEN
        RAISE EXCEPTION 'entries cannot be dated in the future' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- NaN counts as larger than every number, so no comparison below would stop it.
    IF 'NaN'::numeric = ANY (p_amounts) THEN
        RAISE EXCEPTION 'an amount is not a number' USING ERRCODE = 'numeric_value_out_of_range';
    END IF;
    codes := array_fill('posted'::text, ARRAY[journal_count]);
    details := array_fill(NULL::text, ARRAY[journal_count]);
    sequences := array_fill(NULL::bigint, ARRAY[line_count]);
    balances := array_fill(NULL::numeric, ARRAY[line_count]);
    contra_balances := array_fill(NULL::numeric, ARRAY[line_count]);
    hashes := array_fill(NULL::bytea, ARRAY[line_count]);

    SELECT array_agg(s.n),
           array_agg(ARRAY[s.deposited_amount, s.approved_profit, s.deposit_review, s.withdrawal_hold,
                           s.virtual_balance, s.virtual_hold, s.allocated]),
           array_agg(s.credit_due), array_agg(s.margin_used), array_agg(s.margin_available), array_agg(s.equity_cached),
           array_agg(s.entry_count), array_agg(s.head_hash), array_agg(s.last_entry_at),
           array_agg(s.is_frozen OR NOT s.is_active), array_agg(false)
      INTO found, book_balances, dues, margins_used, margins_free, equities,
           entry_counts, heads, last_at, is_stopped, is_changed
      FROM (SELECT k.n::int AS n, acc.*
              FROM unnest(p_account_users, p_account_ids) WITH ORDINALITY AS k (user_id, id, n)
              JOIN accounts AS acc ON acc.user_id = k.user_id AND acc.id = k.id
             ORDER BY acc.user_id, acc.id
               FOR NO KEY UPDATE OF acc) AS s;
    FOR i IN 1 .. coalesce(cardinality(found), 0) LOOP
        position_of[found[i]] := i;
    END LOOP;

    -- LED-5: what was posted before. The accounts are locked, so nobody can post these ids to them before the commit; the
    -- unique key stops who posts one of them to another account of the same customer.
    SELECT array_agg(k.n::int), array_agg(e.content_hash)
      INTO known, known_hashes
      FROM unnest(p_journal_ids, p_journal_accounts) WITH ORDINALITY AS k (journal_id, account, n)
      JOIN ledger_entries AS e
        ON e.user_id = p_account_users[k.account] AND e.journal_id = k.journal_id AND e.line_no = 1;
    FOR i IN 1 .. coalesce(cardinality(known), 0) LOOP
        codes[known[i]] := CASE WHEN known_hashes[i] = p_content_hashes[known[i]]
                                THEN 'duplicate' ELSE 'idempotency_conflict' END;
    END LOOP;

    IF p_contras && house_funds_books OR p_books && house_funds_books THEN
        SELECT hf.balance INTO STRICT funds FROM house_funds AS hf WHERE hf.id = 1 FOR NO KEY UPDATE;
    END IF;
    IF wallets_named THEN
        SELECT array_agg(s.id), array_agg(s.balance), array_agg(s.reserved_amount)
          INTO wallet_ids, wallet_balances, wallet_reserves
          FROM (SELECT wal.id, wal.balance, wal.reserved_amount
                  FROM wallets AS wal
                 WHERE wal.id = ANY (p_wallets)
                 ORDER BY wal.id
                   FOR NO KEY UPDATE) AS s;
    END IF;

    FOR j IN 1 .. journal_count LOOP
        first_line := last_line + 1;
        last_line := first_line;
        WHILE p_line_journals[last_line + 1] = j LOOP
            last_line := last_line + 1;
        END LOOP;
        CONTINUE WHEN codes[j] <> 'posted';
        a := position_of[p_journal_accounts[j]];
        IF a = 0 THEN
            codes[j] := 'account_not_found';
            CONTINUE;
        END IF;

        code := NULL;
        detail := NULL;
        IF p_reverses[j] IS NOT NULL THEN
            IF NOT EXISTS (SELECT FROM ledger_entries AS e
                            WHERE e.user_id = p_account_users[p_journal_accounts[j]]
                              AND e.account_id = p_account_ids[p_journal_accounts[j]]
                              AND e.journal_id = p_reverses[j]) THEN
                code := 'reversed_journal_not_found';
            ELSIF EXISTS (SELECT FROM ledger_entries AS e
                           WHERE e.user_id = p_account_users[p_journal_accounts[j]] AND e.reverses = p_reverses[j]) THEN
                code := 'already_reversed';
            END IF;
            IF code IS NOT NULL THEN
                codes[j] := code;
                details[j] := p_reverses[j]::text;
                CONTINUE;
            END IF;
        END IF;

        -- Move the amounts; a refusal below moves them back.
        virtual_before := book_balances[a][virtual];
        credit_granted := 0;
        credit_change := 0;
        deposited_in := 0;
        virtual_hold_change := 0;
        funds_change := 0;
        is_settlement := false;
        needs_margin := false;
        is_protected := false;
        adjusted := 0;
        written_off := 0;
        approved := 0;
        redeemed := 0;
        lowest := 0;
        highest := 0;
        FOR i IN first_line .. last_line LOOP
            amount := p_amounts[i];
            IF amount <> p_amounts[i] OR p_line_nos[i] <> i - first_line + 1 THEN
                RAISE EXCEPTION 'line % is over-precise or misnumbered', i USING ERRCODE = 'invalid_parameter_value';
            END IF;
            b := array_position(own_books, p_books[i]);
            IF b IS NOT NULL THEN
                balance := book_balances[a][b] + amount;
                book_balances[a][b] := balance;
                balances[i] := balance;
                lowest := LEAST(lowest, balance);
                highest := GREATEST(highest, balance);
                IF b = deposited THEN
                    deposited_in := deposited_in + amount;
                ELSIF b = virtual_hold THEN
                    virtual_hold_change := virtual_hold_change + amount;
                END IF;
            ELSIF p_books[i] = ANY (house_funds_books) THEN
                funds_change := funds_change + amount;
            END IF;
            c := array_position(own_books, p_contras[i]);
            IF c IS NOT NULL THEN
                balance := book_balances[a][c] - amount;
                book_balances[a][c] := balance;
                contra_balances[i] := balance;
                lowest := LEAST(lowest, balance);
                highest := GREATEST(highest, balance);
                IF c = deposited THEN
                    deposited_in := deposited_in - amount;
                ELSIF c = virtual_hold THEN
                    virtual_hold_change := virtual_hold_change - amount;
                END IF;
            ELSIF p_contras[i] = 'virtual_credit' THEN
                credit_granted := credit_granted + amount;
            ELSIF p_contras[i] = ANY (house_funds_books) THEN
                funds_change := funds_change - amount;
            END IF;
            IF wallets_named AND p_wallets[i] IS NOT NULL THEN
                -- A custody leg: what is owed against custody rises by amount, and so does what the wallet holds.
                w := array_position(wallet_ids, p_wallets[i]);
                IF w IS NULL THEN
                    code := coalesce(code, 'wallet_not_found');
                    detail := p_wallets[i]::text;
                ELSE
                    wallet_balances[w] := wallet_balances[w] + amount;
                END IF;
            END IF;
            CASE p_entry_types[i]
                WHEN 'trade_pnl', 'fee', 'financing' THEN
                    is_settlement := true;
                WHEN 'withdrawal' THEN
                    needs_margin := true;
                WHEN 'admin_adjustment' THEN
                    adjusted := adjusted + amount;
                WHEN 'correction_writeoff' THEN
                    written_off := written_off + amount;
                WHEN 'protection' THEN
                    is_protected := true;
                WHEN 'profit_approval' THEN
                    needs_margin := true;
                    IF p_books[i] = 'profit' THEN
                        approved := approved + amount;
                    ELSE
                        redeemed := redeemed - amount;
                    END IF;
                WHEN 'plan_investment' THEN
                    needs_margin := true;
                    IF is_stopped[a] THEN
                        code := 'account_frozen';
                    END IF;
                ELSE
            END CASE;
        END LOOP;
        virtual_after := book_balances[a][virtual];
        credit_change := credit_granted - virtual_hold_change - deposited_in;
        margin_after := margins_free[a] + virtual_after - virtual_before;
        equity_after := equities[a] + virtual_after - virtual_before + virtual_hold_change;

        -- Judge the journal by where it ends (LED-2, P3, P5).
        IF code IS NOT NULL THEN
            NULL;
        ELSIF GREATEST(highest, abs(margin_after), abs(equity_after)) >= 1e20 OR lowest <= -1e20 THEN
            code := 'balance_out_of_range';
        ELSIF lowest < 0 AND LEAST(book_balances[a][1], book_balances[a][2], book_balances[a][3], book_balances[a][4],
                    book_balances[a][6], book_balances[a][7]) < 0 THEN
            code := 'insufficient_funds';
            FOR b IN 1 .. 7 LOOP
                IF b <> virtual AND book_balances[a][b] < 0 THEN
                    detail := own_books[b];
                END IF;
            END LOOP;
        ELSIF virtual_after < 0 AND virtual_after < virtual_before AND NOT (is_settlement AND margins_used[a] > 0) THEN
            code := 'insufficient_funds';
            detail := 'virtual';
        ELSIF virtual_after < 0 AND margins_used[a] <= 0 THEN
            code := 'insufficient_funds';
            detail := 'virtual';
        ELSIF needs_margin AND virtual_after < virtual_before
              AND margin_after < 0 THEN
            code := 'insufficient_margin';
        ELSIF credit_granted > 0 AND credit_granted > GREATEST(0, deposited_in - dues[a]) THEN
            -- Credit comes with a deposit, less what is still due; anything more would be an adjustment in disguise.
            code := 'credit_exceeds_deposit';
        ELSIF funds_change < 0 AND funds + funds_change < 0 THEN
            code := 'not_covered';
        ELSIF written_off > 0 AND written_off > -adjusted OR is_protected AND virtual_after <> 0
              OR approved > redeemed OR redeemed > 0 AND approved = 0 THEN
            -- LED-8: a write-off only beside the adjustment it makes possible; protection to exactly zero; profit only for
            -- the virtual result that it redeems.
            code := 'wrong_event_shape';
        ELSIF wallet_ids IS NOT NULL THEN
            FOR i IN first_line .. last_line LOOP
                CONTINUE WHEN p_wallets[i] IS NULL;
                w := array_position(wallet_ids, p_wallets[i]);
                IF wallet_balances[w] < wallet_reserves[w] THEN
                    code := 'wallet_overdrawn';
                    detail := p_wallets[i]::text;
                ELSIF wallet_balances[w] >= 1e20 OR funds + funds_change >= 1e20 THEN
                    code := 'balance_out_of_range';
                END IF;
            END LOOP;
        END IF;

        IF code IS NOT NULL THEN
            codes[j] := code;
            details[j] := detail;
            FOR i IN first_line .. last_line LOOP
                amount := p_amounts[i];
                b := array_position(own_books, p_books[i]);
                c := array_position(own_books, p_contras[i]);
                IF b IS NOT NULL THEN
                    book_balances[a][b] := book_balances[a][b] - amount;
                END IF;
                IF c IS NOT NULL THEN
                    book_balances[a][c] := book_balances[a][c] + amount;
                END IF;
                w := array_position(wallet_ids, p_wallets[i]);
                IF w IS NOT NULL THEN
                    wallet_balances[w] := wallet_balances[w] - amount;
                END IF;
                balances[i] := NULL;
                contra_balances[i] := NULL;
            END LOOP;
            CONTINUE;
        END IF;

        -- Number and chain the lines (LED-3). The text hashed here is described in topcoin/ledger/chain/domain.py.
        IF last_at[a] IS NULL OR last_at[a] <= now_at THEN
            last_at[a] := now_at;
            at_text := now_text;
        ELSE
            at_text := to_char(last_at[a] AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
        END IF;
        created_at[j] := last_at[a];
        own_text := '["topcoin/ledger-entry/1","' || p_account_users[p_journal_accounts[j]] || '","'
                    || p_account_ids[p_journal_accounts[j]] || '","' || p_journal_ids[j] || '","' || at_text || '",'
                    || to_json(p_descriptions[j]) || ',"' || p_reference_types[j] || '",'
                    || to_json(p_reference_ids[j]) || ',' || to_json(p_metadata[j]) || ',';
        FOR i IN first_line .. last_line LOOP
            entry_counts[a] := entry_counts[a] + 1;
            amount := p_amounts[i];
            payload := own_text
                || CASE WHEN i = first_line
                        THEN coalesce('"' || p_reverses[j] || '"', 'null') || ',"'
                             || encode(p_content_hashes[j], 'hex') || '","'
                        ELSE 'null,null,"' END
                || entry_counts[a] || '","' || p_line_nos[i] || '","' || p_entry_types[i] || '","' || p_units[i] || '","'
                || p_books[i] || '","' || p_contras[i] || '","' || amount || '",'
                || coalesce('"' || balances[i] || '"', 'null') || ','
                || coalesce('"' || contra_balances[i] || '"', 'null') || ','
                || coalesce('"' || p_wallets[i] || '"', 'null') || ']';
            heads[a] := sha256(heads[a] || convert_to(payload, 'UTF8'));
            sequences[i] := entry_counts[a];
            hashes[i] := heads[a];
        END LOOP;
        is_changed[a] := true;
        IF credit_change <> 0 THEN
            dues[a] := dues[a] + credit_change;
        END IF;
        margins_free[a] := margin_after;
        equities[a] := equity_after;
        funds := funds + funds_change;
    END LOOP;

    -- The keys' checks fire row by row at the end of each statement; entries go in first so that a clash of journal ids
    -- between two accounts of one customer surfaces before anything else is written.
    INSERT INTO ledger_entries (
        user_id, account_id, sequence, journal_id, wallet_id, reverses, created_at, line_no, entry_type, unit, book,
        contra, amount, balance_after, contra_balance_after, description, reference_type, reference_id, metadata,
        content_hash, entry_hash)
    SELECT p_account_users[p_journal_accounts[l.j]], p_account_ids[p_journal_accounts[l.j]], l.sequence,
           p_journal_ids[l.j], l.wallet, CASE WHEN l.line_no = 1 THEN p_reverses[l.j] END, created_at[l.j], l.line_no,
           l.entry_type, l.unit, l.book, l.contra, l.amount, l.balance_after, l.contra_after, p_descriptions[l.j],
           p_reference_types[l.j], p_reference_ids[l.j], p_metadata[l.j]::jsonb,
           CASE WHEN l.line_no = 1 THEN p_content_hashes[l.j] END, l.hash
      FROM unnest(p_line_journals, p_line_nos, p_entry_types, p_units, p_books, p_contras, p_amounts, p_wallets,
                  sequences, balances, contra_balances, hashes)
           AS l (j, line_no, entry_type, unit, book, contra, amount, wallet, sequence, balance_after, contra_after, hash)
     WHERE l.sequence IS NOT NULL;

    UPDATE accounts AS acc
       SET deposited_amount = book_balances[s.n][1], approved_profit = book_balances[s.n][2],
           deposit_review = book_balances[s.n][3], withdrawal_hold = book_balances[s.n][4],
           virtual_balance = book_balances[s.n][5], virtual_hold = book_balances[s.n][6],
           allocated = book_balances[s.n][7], credit_due = s.credit_due, margin_available = s.margin_available,
           equity_cached = s.equity, entry_count = s.entry_count, head_hash = s.head, last_entry_at = s.last_at
      FROM unnest(found, dues, margins_free, equities, entry_counts, heads, last_at, is_changed) WITH ORDINALITY
           AS s (account, credit_due, margin_available, equity, entry_count, head, last_at, is_changed, n)
     WHERE s.is_changed
       AND acc.user_id = p_account_users[s.account] AND acc.id = p_account_ids[s.account];

    IF funds IS NOT NULL THEN
        UPDATE house_funds AS hf SET balance = funds WHERE hf.id = 1 AND hf.balance <> funds;
    END IF;
    IF wallet_ids IS NOT NULL THEN
        UPDATE wallets AS wal
           SET balance = s.new_balance
          FROM unnest(wallet_ids, wallet_balances) AS s (id, new_balance)
         WHERE wal.id = s.id AND wal.balance <> s.new_balance;
    END IF;
END
$$;

COMMENT ON FUNCTION ledger_post IS 'The one writer of ledger entries and of the balances that they make';
