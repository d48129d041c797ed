#!/bin/sh
# Back the whole database up into one file.
set -eu

usage() {
    cat <<'TEXT'
Usage: backup.sh FILE [PG_DUMP_OPTION...]

Writes the database of OBSERVATORY_DATABASE_URL to FILE, in pg_dump's custom format. FILE must not exist;
it appears only once it is whole. pg_dump must not be older than the server. Keep the password out of
the URL: PGPASSWORD and ~/.pgpass are read as usual.

With TimescaleDB, pg_dump warns of circular foreign keys in its catalogue; that is expected.

Exit codes: 0 done, 1 the backup failed, 2 wrong use.
TEXT
}

fail() {
    code=$1
    shift
    echo "backup.sh: $*" >&2
    exit "$code"
}

case ${1:-} in
    -h | --help) usage; exit 0 ;;
    '' | -*) fail 2 "name the file to write (see --help)" ;;
esac
file=$1
shift
[ ! -e "$file" ] || fail 2 "$file exists already"
command -v pg_dump >/dev/null || fail 2 "pg_dump is missing: install PostgreSQL's client programs"
url=${OBSERVATORY_DATABASE_URL:-}
case $url in
    postgresql+psycopg://* | postgresql://* | postgres://*) url="postgresql://${url#*://}" ;;
    *) fail 2 "OBSERVATORY_DATABASE_URL must be set, and begin with postgresql://" ;;
esac

umask 077
partial="$file.partial"
trap 'rm -f "$partial"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
pg_dump --format=custom --file="$partial" "$@" --dbname="$url" || fail 1 "pg_dump failed"
mv "$partial" "$file"
echo "wrote $file"
