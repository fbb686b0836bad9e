-- AUD-2: a row of the audit trail continues its subject's chain: it is numbered after the row before, and names its hash.
-- What the hash covers is the service's to compute and verify's to recompute; that no link is missing is seen to here.
--
-- Two that write after the same row clash on the unique (user_id, sequence).
CREATE FUNCTION audits_continue_chain() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.sequence > 1 AND NOT EXISTS (
        SELECT FROM audits
         WHERE user_id = NEW.user_id AND sequence = NEW.sequence - 1 AND entry_hash = NEW.previous_hash
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'TC002',
            MESSAGE = format('audits: row %s of %s does not continue the chain', NEW.sequence, NEW.user_id),
            HINT = 'Read the newest row of the subject and chain to it.',
            SCHEMA = TG_TABLE_SCHEMA,
            TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION audits_continue_chain IS 'Trigger of audits: no gap and no fork in a subject''s chain';

CREATE TRIGGER continue_chain BEFORE INSERT ON audits
    FOR EACH ROW EXECUTE FUNCTION audits_continue_chain();
ALTER TABLE audits ENABLE ALWAYS TRIGGER continue_chain;
