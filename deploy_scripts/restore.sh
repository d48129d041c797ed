#!/bin/sh
# Restore a file that backup.sh wrote into an empty database.
set -eu
# shellcheck source=prelude.sh
. "$(dirname "$0")/prelude.sh"

usage() {
    cat <<'TEXT'
Usage: restore.sh [--dry-run] FILE [PG_RESTORE_OPTION...]

Restores FILE into the database of OBSERVATORY_DATABASE_URL, which must exist and not have the schema
"observatory". If FILE is from a database with TimescaleDB, the server must have the same version of it,
and the role must be a superuser. Useful options: --jobs=N, --no-owner, --no-privileges. pg_restore
should be of the server's version: a newer one sets what an older server does not know.

  --dry-run   check all that can be, and change nothing

Exit codes: 0 done, 1 the restore failed (drop the database before another try), 2 wrong use or
something is missing, 3 no database.
TEXT
}

dry_run=false
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --dry-run) dry_run=true; shift ;;
        *) break ;;
    esac
done
case ${1:-} in
    '') fail 2 "name the file to restore (see --help)" ;;
    -*) fail 2 "unknown argument: $1; options of pg_restore come after the file (see --help)" ;;
esac
file=$1
shift
[ -r "$file" ] || fail 2 "$file cannot be read"
need psql pg_restore
read_url
contents=$(pg_restore --list "$file") || fail 2 "$file is no backup"
wait_until 0 query "SELECT 1"
present=$(query "SELECT to_regnamespace('observatory') IS NOT NULL")
[ "$present" = f ] || fail 2 "the database has a schema observatory already: restore into an empty one"

timescaledb=false
case $contents in *" EXTENSION - timescaledb"*) timescaledb=true ;; esac
if $timescaledb; then
    available=$(query "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'")
    [ "$available" = 1 ] || fail 2 "$file is from a database with TimescaleDB, which this server lacks"
fi
if $dry_run; then
    echo "would restore $file, $(echo "$contents" | grep -c '^[0-9]') objects; nothing was changed"
    exit 0
fi

finish() {
    # Also after a failure: until then the database runs no TimescaleDB jobs.
    if $timescaledb; then
        query "SELECT timescaledb_post_restore()" >/dev/null || echo "$program: post_restore failed" >&2
    fi
}
if $timescaledb; then
    query "CREATE EXTENSION IF NOT EXISTS timescaledb" || fail 1 "TimescaleDB cannot be created here"
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    query "SELECT timescaledb_pre_restore()" >/dev/null || fail 1 "timescaledb_pre_restore failed"
fi
pg_restore --no-password --exit-on-error "$@" --dbname="$url" "$file" ||
    fail 1 "pg_restore failed, for the reason above; drop the database before another try"
trap - EXIT
finish
query "ANALYZE" || fail 1 "restored, but ANALYZE failed"
echo "restored $file"
