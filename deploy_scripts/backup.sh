#!/bin/sh
# Back the whole database up into one file.
set -eu
# shellcheck source=prelude.sh
. "$(dirname "$0")/prelude.sh"

usage() {
    cat <<'TEXT'
Usage: backup.sh [--dry-run] FILE|FOLDER [PG_DUMP_OPTION...]

Writes the database of OBSERVATORY_DATABASE_URL to FILE, in pg_dump's custom format. FILE must not exist;
it appears only once it is whole. In a FOLDER it is named observatory-TIME.dump. pg_dump must not be
older than the server. PGPASSWORD and ~/.pgpass are read as usual.

With TimescaleDB, pg_dump warns of circular foreign keys in its catalogue; that is expected.

  --dry-run   check all that can be, and write nothing

Exit codes: 0 done, 1 the backup failed, 2 wrong use or something is missing, 3 no database.
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
    '') fail 2 "name the file or folder to write (see --help)" ;;
    -*) fail 2 "unknown argument: $1; options of pg_dump come after the file (see --help)" ;;
esac
file=$1
shift
[ ! -d "$file" ] || file="${file%/}/observatory-$(date -u +%Y%m%dT%H%M%SZ).dump"
folder=$(dirname "$file")
[ ! -e "$file" ] || fail 2 "$file exists already"
[ -d "$folder" ] || fail 2 "there is no folder $folder"
[ -w "$folder" ] || fail 2 "$folder is not for this user to write to"
need pg_dump psql
read_url
wait_until 0 query "SELECT 1"
dump=$(major_of pg_dump)
server=$(server_major)
[ "$dump" -ge "$server" ] ||
    fail 2 "pg_dump is of PostgreSQL $dump, the server of $server: install the client programs of $server"

if $dry_run; then
    size=$(query "SELECT pg_size_pretty(pg_database_size(current_database()))")
    echo "would write the database of $size, compressed, to $file; nothing was written"
    exit 0
fi

umask 077
partial="$file.partial"
trap 'rm -f "$partial"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
pg_dump --no-password --format=custom --file="$partial" "$@" --dbname="$url" ||
    fail 1 "pg_dump failed, for the reason above; no backup was left in $folder"
mv "$partial" "$file"
echo "wrote $file"
