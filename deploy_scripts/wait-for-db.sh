#!/bin/sh
# Wait until the database answers, then run a command.
set -eu
# shellcheck source=prelude.sh
. "$(dirname "$0")/prelude.sh"

usage() {
    cat <<'TEXT'
Usage: wait-for-db.sh [--wait SECONDS] [--dry-run] [-- COMMAND [ARGUMENT...]]

Waits until the database of OBSERVATORY_DATABASE_URL lets this role in, then runs COMMAND in its own
place. Asks by psql, or by observatory-store where there is no psql.

  --wait SECONDS   how long to wait (60)
  --dry-run        ask once, and run nothing

Exit codes: 0 it answers, 2 wrong use or something is missing, 3 no database in time; else COMMAND's.
TEXT
}

wait_seconds=60
dry_run=false
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --wait) [ $# -ge 2 ] || fail 2 "--wait needs a number"; wait_seconds=$2; shift 2 ;;
        --dry-run) dry_run=true; shift ;;
        --) shift; break ;;
        *) fail 2 "unknown argument: $1 (see --help)" ;;
    esac
done
need_number --wait "$wait_seconds"
read_url

ask() {
    if command -v psql >/dev/null; then
        query "SELECT 1"
    else
        observatory-store schema status || [ $? -eq 1 ] # 1: it answers, and has no schema yet
    fi
}
command -v psql >/dev/null || need observatory-store
$dry_run && wait_seconds=0
wait_until "$wait_seconds" ask
echo "the database answers"
if $dry_run; then
    [ $# -eq 0 ] || echo "would run: $*"
elif [ $# -gt 0 ]; then
    exec "$@"
fi
