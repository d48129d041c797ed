#!/bin/sh
# Tell whether the database is what it should be.
set -eu
# shellcheck source=prelude.sh
. "$(dirname "$0")/prelude.sh"

usage() {
    cat <<'TEXT'
Usage: verify.sh [--schema-only] [--dry-run]

Compares the schema with what this version makes of one (`observatory-store schema verify`), then asks
`observatory-store doctor`. Changes nothing.

  --schema-only   leave the doctor out
  --dry-run       the same: it changes nothing anyhow

Exit codes: 0 all is as it should be, 1 it is not, 2 wrong use or something is missing, 3 no database.
TEXT
}

doctor=true
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --dry-run) shift ;;
        --schema-only) doctor=false; shift ;;
        *) fail 2 "unknown argument: $1 (see --help)" ;;
    esac
done
need observatory-store
read_url

"$here/wait-for-db.sh" --wait 0 >/dev/null

worst=0
observatory-store schema verify || worst=1
if $doctor; then
    observatory-store doctor || worst=1
fi
[ "$worst" -eq 0 ] || fail 1 "something is not as it should be: see above what mends it"
