#!/bin/sh
# Wait for the database, then apply the migrations with yoyo.
set -eu

usage() {
    cat <<'TEXT'
Usage: migrate.sh [--wait SECONDS] [--migrations FOLDER]

Waits until the database of OBSERVATORY_DATABASE_URL answers, then applies every pending migration.
Needs yoyo-migrations and psycopg 3 only. The URL is passed on in the environment, so that no password
appears in the list of processes.

  --wait SECONDS       how long to wait for the database (60)
  --migrations FOLDER  where the migrations are (../migrations, seen from this script)

Exit codes: 0 applied, or nothing to do; 1 a migration failed; 2 wrong use; 3 no database in time.
TEXT
}

fail() {
    code=$1
    shift
    echo "migrate.sh: $*" >&2
    exit "$code"
}

wait_seconds=60
migrations=$(dirname "$0")/../migrations
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --wait) [ $# -ge 2 ] || fail 2 "--wait needs a number"; wait_seconds=$2; shift 2 ;;
        --migrations) [ $# -ge 2 ] || fail 2 "--migrations needs a folder"; migrations=$2; shift 2 ;;
        *) fail 2 "unknown argument: $1 (see --help)" ;;
    esac
done
case $wait_seconds in '' | *[!0-9]*) fail 2 "--wait needs a number of seconds, not '$wait_seconds'" ;; esac
[ -d "$migrations" ] || fail 2 "there is no folder $migrations"
command -v yoyo >/dev/null || fail 2 "yoyo is missing: pip install yoyo-migrations 'psycopg[binary]'"

url=${OBSERVATORY_DATABASE_URL:-}
case $url in
    postgresql+psycopg://*) ;;
    postgresql://* | postgres://*) url="postgresql+psycopg://${url#*://}" ;;
    '') fail 2 "OBSERVATORY_DATABASE_URL is not set" ;;
    *) fail 2 "OBSERVATORY_DATABASE_URL must begin with postgresql://" ;;
esac

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# yoyo reads the variable itself: the file holds its name only.
cat >"$scratch/yoyo.ini" <<'TEXT'
[DEFAULT]
database = %(observatory_yoyo_url)s
batch_mode = on
TEXT
export OBSERVATORY_YOYO_URL="$url"

run_yoyo() {
    verb=$1
    shift
    yoyo "$verb" --batch --config "$scratch/yoyo.ini" "$@" "$migrations"
}

deadline=$(($(date +%s) + wait_seconds))
until run_yoyo list >"$scratch/answer" 2>&1; do
    if [ "$(date +%s)" -ge "$deadline" ]; then
        tail -n 3 "$scratch/answer" >&2
        fail 3 "the database did not answer within $wait_seconds s"
    fi
    sleep 1
done

run_yoyo apply || fail 1 "a migration failed; those before it stay applied. Run this again once it is mended"
echo "the schema is up to date"
