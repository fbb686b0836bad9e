#!/usr/bin/env bash
# Makes the three roles and the database, as docs/operating/database.md says. The image runs it once, on a new volume.
set -euo pipefail

password_of() { # of the role whose URL is the secret $1
    local url
    url=$(< "/run/secrets/$1")
    url=${url#postgresql://*:}
    printf '%s' "${url%%@*}"
}

psql --no-psqlrc --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres \
    --set=owner="$(password_of owner_database_url)" \
    --set=app="$(password_of app_database_url)" \
    --set=read="$(password_of read_database_url)" << 'SQL'
CREATE ROLE topcoin_owner LOGIN PASSWORD :'owner';
CREATE ROLE topcoin_app   LOGIN PASSWORD :'app';
CREATE ROLE topcoin_read  LOGIN PASSWORD :'read';
ALTER ROLE topcoin_read SET default_transaction_read_only = on;
CREATE DATABASE topcoin OWNER topcoin_owner TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE topcoin FROM PUBLIC;
GRANT CONNECT ON DATABASE topcoin TO topcoin_app, topcoin_read;
\connect topcoin
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO topcoin_app, topcoin_read;
SQL
