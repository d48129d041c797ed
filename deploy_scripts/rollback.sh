#!/bin/sh
# Undo migrations: show which, and what would be lost, ask, back up, undo, report.
set -eu
# shellcheck source=prelude.sh
. "$(dirname "$0")/prelude.sh"

usage() {
    cat <<'TEXT'
Usage: rollback.sh (--steps N | --to ID) (--backup-to FOLDER | --skip-backup) [--export FOLDER] [--yes]
                   [--dry-run]

Shows the status, which migrations would be undone and what data be lost, asks, backs the database up, undoes
just these, or nothing if others are the latest by then, and shows the status again. Stop the services of the
new version before, and start those of the old one after.
Must be run with the version of observatory-store that has the migrations to undo.

  --steps N            how many to undo, the newest first
  --to ID              undo all that came after this one
  --backup-to FOLDER   where the backup goes
  --skip-backup        make none
  --export FOLDER      also write what is lost there, as gzipped CSV
  --yes                do not ask
  --dry-run            show status and loss, check the backup, and change nothing

Exit codes: 0 undone, 1 stopped, and what to do, 2 wrong use or something is missing, 3 no database.
TEXT
}

how=
to=
backup_to=
backup=true
export_to=
yes=false
dry_run=false
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --steps | --to)
            [ $# -ge 2 ] || fail 2 "$1 needs a value"
            [ -z "$how" ] || fail 2 "give --steps or --to, once"
            how=$1; to=$2; shift 2 ;;
        --backup-to) [ $# -ge 2 ] || fail 2 "--backup-to needs a folder"; backup_to=$2; shift 2 ;;
        --skip-backup) backup=false; shift ;;
        --export) [ $# -ge 2 ] || fail 2 "--export needs a folder"; export_to=$2; shift 2 ;;
        --yes) yes=true; shift ;;
        --dry-run) dry_run=true; shift ;;
        *) fail 2 "unknown argument: $1 (see --help)" ;;
    esac
done
[ -n "$how" ] || fail 2 "say how far: --steps N or --to ID"
[ -n "$backup_to" ] || ! $backup || fail 2 "name a folder by --backup-to, or say --skip-backup"
[ -z "$backup_to" ] || [ -d "$backup_to" ] || fail 2 "there is no folder $backup_to"
need observatory-store
read_url
"$here/wait-for-db.sh" --wait 0 >/dev/null

show_status() {
    observatory-store schema status || [ $? -eq 1 ] || fail 1 "the status cannot be told, and nothing was changed"
}

step "status"
show_status
step "what would be lost"
planned=$(observatory-store schema rollback "$how" "$to" --dry-run) ||
    fail 1 "nothing was changed: do what the line above says, then run this again"
printf '%s\n' "$planned"
ids=$(printf '%s\n' "$planned" | sed -n 's/^  \([^ ]*\)$/\1/p')
[ -n "$ids" ] || exit 0
if $dry_run; then
    ! $backup || "$here/backup.sh" --dry-run "$backup_to"
    exit
fi
if ! $yes; then
    [ -t 0 ] || fail 2 "this is no terminal to ask on: say --yes, and it will be done"
    printf 'Undo this? [y/N] '
    read -r answer
    case $answer in y | Y | yes) ;; *) fail 1 "nothing was changed" ;; esac
fi
if $backup; then
    step "backup"
    "$here/backup.sh" "$backup_to" || fail 1 "the backup failed, and nothing was changed"
fi
step "rollback"
# shellcheck disable=SC2086 # each id is a word
observatory-store schema rollback $ids ${export_to:+--export "$export_to"} --yes ||
    fail 1 "the rollback failed: what was undone before stays so, and the rest is as it was. Do what the
line above says, then see by schema status how many are left to undo, and run this for these"
step "report"
show_status
echo "undone. Start the services of the version that the database is of now."
