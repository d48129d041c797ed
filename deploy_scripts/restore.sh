#!/bin/sh
# Restore a file that backup.sh wrote into an empty database.
set -eu

usage() {
    cat <<'TEXT'
Usage: restore.sh FILE [PG_RESTORE_OPTION...]

Restores FILE into the database of OBSERVATORY_DATABASE_URL, which must exist and not have the schema
"observatory". If FILE is from a database with TimescaleDB, the server must have the same version of it,
and the role must be a superuser. Useful options: --jobs=N, --no-owner, --no-privileges.

Exit codes: 0 done, 1 the restore failed (drop the database before another try), 2 wrong use.
TEXT
}

fail() {
    code=$1
    shift
    echo "restore.sh: $*" >&2
    exit "$code"
}

case ${1:-} in
    -h | --help) usage; exit 0 ;;
    '' | -*) fail 2 "name the file to restore (see --help)" ;;
esac
file=$1
shift
[ -r "$file" ] || fail 2 "$file cannot be read"
for program in psql pg_restore; do
    command -v "$program" >/dev/null || fail 2 "$program is missing: install PostgreSQL's client programs"
done
url=${OBSERVATORY_DATABASE_URL:-}
case $url in
    postgresql+psycopg://* | postgresql://* | postgres://*) url="postgresql://${url#*://}" ;;
    *) fail 2 "OBSERVATORY_DATABASE_URL must be set, and begin with postgresql://" ;;
esac

run_sql() {
    psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$url" --command="$1"
}

contents=$(pg_restore --list "$file") || fail 2 "$file is no backup"
present=$(run_sql "SELECT to_regnamespace('observatory') IS NOT NULL") || fail 1 "the database does not answer"
[ "$present" = f ] || fail 2 "the database has a schema observatory already: restore into an empty one"

timescaledb=false
case $contents in *" EXTENSION - timescaledb"*) timescaledb=true ;; esac
finish() {
    # Also after a failure: until then the database runs no TimescaleDB jobs.
    if $timescaledb; then
        run_sql "SELECT timescaledb_post_restore()" >/dev/null || echo "restore.sh: post_restore failed" >&2
    fi
}
if $timescaledb; then
    run_sql "CREATE EXTENSION IF NOT EXISTS timescaledb" || fail 1 "TimescaleDB cannot be created here"
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    run_sql "SELECT timescaledb_pre_restore()" >/dev/null || fail 1 "timescaledb_pre_restore failed"
fi
pg_restore --exit-on-error "$@" --dbname="$url" "$file" || fail 1 "pg_restore failed"
trap - EXIT
finish
run_sql "ANALYZE" || fail 1 "restored, but ANALYZE failed"
echo "restored $file"
