#!/bin/sh
# Bring the schema up to date: wait, preflight, backup, apply, verify, report.
set -eu
# shellcheck source=prelude.sh
. "$(dirname "$0")/prelude.sh"

usage() {
    cat <<'TEXT'
Usage: migrate.sh (--backup-to FOLDER | --skip-backup) [--wait SECONDS] [--skip-preflight] [--dry-run]
       migrate.sh --yoyo [--migrations FOLDER] [--wait SECONDS] [--dry-run]

Waits for the database of OBSERVATORY_DATABASE_URL, asks preflight.sh, backs the database up, applies every
pending migration, and verifies the schema. Stops at the first problem, and says what to do next. When
nothing is pending, it only verifies; a new database is not backed up. Services may go on meanwhile.

  --backup-to FOLDER    where the backup goes
  --skip-backup         make none
  --wait SECONDS        how long to wait for the database (60)
  --skip-preflight      go on whatever preflight.sh says
  --yoyo                plain `yoyo apply`, and nothing else: needs yoyo-migrations and psycopg 3 only
  --migrations FOLDER   with --yoyo: where the migrations are (../migrations, seen from this script)
  --dry-run             show the plan, rehearse it beside the database (which needs CREATEDB), and
                        change nothing; with --yoyo: list the migrations

Exit codes: 0 applied, or nothing to do; 1 stopped, and what to do; 2 wrong use or something is missing;
3 no database in time.
TEXT
}

wait_seconds=60
backup_to=
backup=true
preflight=true
yoyo=false
dry_run=false
migrations=$here/../migrations
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --wait) [ $# -ge 2 ] || fail 2 "--wait needs a number"; wait_seconds=$2; shift 2 ;;
        --migrations) [ $# -ge 2 ] || fail 2 "--migrations needs a folder"; migrations=$2; shift 2 ;;
        --backup-to) [ $# -ge 2 ] || fail 2 "--backup-to needs a folder"; backup_to=$2; shift 2 ;;
        --skip-backup) backup=false; shift ;;
        --skip-preflight) preflight=false; shift ;;
        --yoyo) yoyo=true; shift ;;
        --dry-run) dry_run=true; shift ;;
        *) fail 2 "unknown argument: $1 (see --help)" ;;
    esac
done
need_number --wait "$wait_seconds"

run_yoyo() {
    verb=$1
    shift
    yoyo "$verb" --batch --config "$scratch/yoyo.ini" "$@" "$migrations"
}

migrate_by_yoyo() {
    [ -d "$migrations" ] || fail 2 "there is no folder $migrations"
    need yoyo
    read_url
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
    export OBSERVATORY_YOYO_URL="postgresql+psycopg://${url#*://}"
    wait_until "$wait_seconds" run_yoyo list
    if $dry_run; then
        run_yoyo list
        exit
    fi
    run_yoyo apply || fail 1 "a migration failed; those before it stay applied. Run this again once it is mended"
    echo "the schema is up to date"
}

if $yoyo; then
    migrate_by_yoyo
    exit
fi

[ -n "$backup_to" ] || ! $backup || fail 2 "name a folder by --backup-to, or say --skip-backup"
[ -z "$backup_to" ] || [ -d "$backup_to" ] || fail 2 "there is no folder $backup_to"
$backup || backup_to=
command -v observatory-store >/dev/null || fail 2 "observatory-store is missing: install it, or say --yoyo"
read_url

step "wait"
"$here/wait-for-db.sh" --wait "$wait_seconds"

if $preflight; then
    step "preflight"
    "$here/preflight.sh" ${backup_to:+--backup-to "$backup_to"} ||
        fail 1 "nothing was changed: mend the problems above, then run this again (or --skip-preflight)"
fi

step "status"
status=$(observatory-store schema status --json) || [ $? -eq 1 ] || fail 1 "nothing was changed: do what the line above says"
case $status in
    *'"state": "drifted"'*)
        edited=$(printf '%s\n' "$status" | awk -F '"' '
            $2 == "id" { id = $4 }
            $2 == "state" && $4 == "drifted" { printf "%s%s", separator, id; separator = ", " }')
        fail 1 "nothing was changed: $edited was edited after it was applied. Restore the file, or run" \
            "the edited one by \`observatory-store schema reapply ${edited%%,*}\`, then run this again"
        ;;
    *'"state": "pending"'*) ;;
    *'"state": "unknown"'*)
        echo "the database is newer than this version, which has nothing to apply"
        exit 0
        ;;
    *)
        echo "nothing is pending"
        step "verify"
        exec "$here/verify.sh" --schema-only
        ;;
esac
case $status in *'"database_schema": null'*) backup_to= ;; esac

if $dry_run; then
    step "plan"
    observatory-store schema plan || [ $? -eq 1 ] || echo "no plan, for the reason above; the rehearsal goes on"
    [ -z "$backup_to" ] || {
        step "backup"
        "$here/backup.sh" --dry-run "$backup_to"
    }
    step "rehearsal"
    observatory-store schema apply --dry-run ||
        fail 1 "the rehearsal failed, and nothing was changed: do not run it for real"
    exit 0
fi

saved="There is no backup."
if [ -n "$backup_to" ]; then
    step "backup"
    file="${backup_to%/}/observatory-$(date -u +%Y%m%dT%H%M%SZ).dump"
    "$here/backup.sh" "$file" || fail 1 "the backup failed, and nothing was changed"
    saved="The backup is $file."
fi
step "apply"
observatory-store schema apply ||
    fail 1 "it stopped; what was applied before that stays applied, and services of the last version run on." \
        "$saved Do what the line above says, then run this again; or see docs/runbook.md"
step "verify"
"$here/verify.sh" --schema-only || fail 1 "applied, but see above. $saved"
step "report"
observatory-store schema status
echo "the schema is up to date. $saved"
