-- IDN-1: e-mail addresses are unique whatever their case, over all users, however a user's row comes to be written.

CREATE FUNCTION normal_email(email text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN lower(normalize(btrim(email), NFC));

COMMENT ON FUNCTION normal_email IS 'The form in which two spellings of one e-mail address are equal';

-- Runs with its owner's rights, since nobody else writes user_email_claims.
CREATE FUNCTION users_keep_email_claim() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM user_email_claims;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND normal_email(OLD.email) = normal_email(NEW.email) AND OLD.id = NEW.id THEN
        RETURN NULL;
    END IF;
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        DELETE FROM user_email_claims WHERE email = normal_email(OLD.email) AND user_id = OLD.id;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        INSERT INTO user_email_claims (email, user_id) VALUES (normal_email(NEW.email), NEW.id);
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION users_keep_email_claim IS 'Trigger of users: claims the e-mail address of each row';

CREATE TRIGGER keep_email_claim AFTER INSERT OR UPDATE OF id, email OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION users_keep_email_claim();
CREATE TRIGGER keep_email_claim_truncate AFTER TRUNCATE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION users_keep_email_claim();
ALTER TABLE users ENABLE ALWAYS TRIGGER keep_email_claim;
ALTER TABLE users ENABLE ALWAYS TRIGGER keep_email_claim_truncate;
