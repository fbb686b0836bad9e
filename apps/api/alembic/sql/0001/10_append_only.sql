-- LED-4: history is added to and never changed, by nobody: these triggers fire for the tables' owner too, and in sessions
-- that ask for replica mode. The application's role lacks the privileges besides.
--
-- SQLSTATE TC001: the letters I to Z begin classes that the SQL standard leaves to implementations, and PostgreSQL has no TC.
CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'TC001',
        MESSAGE = format('%s is append-only: %s is refused', TG_TABLE_NAME, TG_OP),
        HINT = 'Add a row that corrects the earlier one and names it.',
        SCHEMA = TG_TABLE_SCHEMA,
        TABLE = TG_TABLE_NAME;
END
$$;

COMMENT ON FUNCTION refuse_change IS 'Trigger of tables whose rows are history (LED-4)';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER append_only_truncate;

-- AUD-1
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audits
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audits
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audits ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audits ENABLE ALWAYS TRIGGER append_only_truncate;

-- ADJ-3: an adjustment changes once, when it is decided; and even one that never was is not deleted.
CREATE TRIGGER append_only_decided BEFORE UPDATE ON admin_adjustments
    FOR EACH ROW WHEN (OLD.status <> 'pending') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE ON admin_adjustments
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON admin_adjustments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE admin_adjustments ENABLE ALWAYS TRIGGER append_only_decided;
ALTER TABLE admin_adjustments ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE admin_adjustments ENABLE ALWAYS TRIGGER append_only_truncate;
