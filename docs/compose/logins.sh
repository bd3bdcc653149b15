#!/bin/sh
# Makes the portal's database roles and logins at PostgreSQL's first start in a container (compose.yaml mounts it there).
# Each login's password is taken out of its own URL, so that it stands in one place; the passwords must be plain letters
# and digits, as docs/operations.md makes them. The statements are those of docs/operations.md.
set -eu

password() {
    url=$(cat "${SECRETS:-/run/secrets}/$1")
    rest=${url#*://*:}
    printf '%s' "${rest%%@*}"
}

WEB=$(password database_url) WORKER=$(password database_worker_url) OWNER=$(password database_owner_url)
export WEB WORKER OWNER

# Passwords reach psql by the environment: arguments can be seen by others.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres --dbname portal <<'SQL'
\set web `printf %s "$WEB"`
\set worker `printf %s "$WORKER"`
\set owner `printf %s "$OWNER"`
CREATE ROLE portal_owner NOLOGIN;
CREATE ROLE portal_web NOLOGIN;
CREATE ROLE portal_worker NOLOGIN;
CREATE ROLE portal_audit NOLOGIN;
GRANT portal_audit TO portal_owner;
CREATE ROLE portal_web_login LOGIN NOINHERIT PASSWORD :'web';
CREATE ROLE portal_worker_login LOGIN NOINHERIT PASSWORD :'worker';
CREATE ROLE portal_owner_login LOGIN NOINHERIT PASSWORD :'owner';
GRANT portal_web TO portal_web_login;
GRANT portal_worker TO portal_worker_login;
GRANT portal_owner, portal_web, portal_worker, portal_audit TO portal_owner_login;
GRANT CREATE, USAGE ON SCHEMA public TO portal_owner, portal_audit;
GRANT USAGE ON SCHEMA public TO portal_web, portal_worker;
REVOKE ALL ON DATABASE portal FROM PUBLIC;
GRANT CONNECT ON DATABASE portal TO portal_owner_login, portal_web_login, portal_worker_login;
SQL
