#!/usr/bin/env bash
# Makes the secrets of compose.yaml in the folder secrets/, each once: what is there already is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

# The files must be readable in the containers, whose users are others; the folder keeps everybody else out.
umask 077
mkdir -p secrets

make_once() { # the secret $1 with the content $2
    [ -e "secrets/$1" ] && return
    printf '%s\n' "$2" > "secrets/$1.new"
    chmod 0444 "secrets/$1.new"
    mv "secrets/$1.new" "secrets/$1"
    echo "made secrets/$1"
}

make_once postgres_password "$(openssl rand -hex 32)"
make_once secret_key "$(openssl rand -base64 48)"
for role in owner app read; do
    make_once "${role}_database_url" "postgresql://topcoin_$role:$(openssl rand -hex 32)@postgres:5432/topcoin"
done
