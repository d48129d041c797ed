#!/bin/sh
# Tell whether a migration may run now.
set -eu
# shellcheck source=prelude.sh
. "$(dirname "$0")/prelude.sh"

usage() {
    cat <<'TEXT'
Usage: preflight.sh [--backups PATH [--max-age HOURS]] [--backup-to FOLDER] [--dry-run]

Asks what a migration depends on, and prints a line for each check: ok, warning or problem, and what to
do. First `observatory-store doctor --before-migration` (versions, pooler, standby, long transactions,
replication, disk, what is pending, edition), then what only this machine knows. Changes nothing.

  --backups PATH       a backup, or the folder of them: the newest file must not be old
  --max-age HOURS      how old the newest backup may be (26)
  --backup-to FOLDER   where a backup will be written: it must have room
  --dry-run            the same: it changes nothing anyhow

Exit codes: 0 ok or warnings, 1 a problem, 2 wrong use or something is missing, 3 no database.
TEXT
}

backups=
hours=26
backup_to=
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --dry-run) shift ;;
        --backups) [ $# -ge 2 ] || fail 2 "--backups needs a path"; backups=$2; shift 2 ;;
        --max-age) [ $# -ge 2 ] || fail 2 "--max-age needs a number"; hours=$2; shift 2 ;;
        --backup-to) [ $# -ge 2 ] || fail 2 "--backup-to needs a folder"; backup_to=$2; shift 2 ;;
        *) fail 2 "unknown argument: $1 (see --help)" ;;
    esac
done
need_number --max-age "$hours"
[ -z "$backups" ] || [ -e "$backups" ] || fail 2 "there is no $backups"
[ -z "$backup_to" ] || [ -d "$backup_to" ] || fail 2 "there is no folder $backup_to"
need observatory-store
read_url
"$here/wait-for-db.sh" --wait 0 >/dev/null

worst=0
# finding SEVERITY CHECK WHAT [TO_DO], as doctor prints them
finding() {
    printf '%-7s  %s: %s\n' "$1" "$2" "$3"
    [ -z "${4:-}" ] || printf '%-7s  -> %s\n' '' "$4"
    [ "$1" != problem ] || worst=1
}

observatory-store doctor --before-migration || worst=1

# Who needs no backup from here needs no programs for it.
severity=warning
[ -z "$backup_to" ] || severity=problem
if ! { command -v pg_dump && command -v psql; } >/dev/null; then
    finding $severity pg_dump "PostgreSQL's client programs are missing here, and no backup can be made." \
        "Install those of the server's version."
else
    dump=$(major_of pg_dump)
    server=$(server_major)
    if [ "$dump" -lt "$server" ]; then
        finding $severity pg_dump "pg_dump is of PostgreSQL $dump, the server of $server." \
            "Install the client programs of PostgreSQL $server."
    elif [ "$dump" -gt "$server" ]; then
        finding warning pg_dump "pg_dump is of PostgreSQL $dump, the server of $server." \
            "Restore with the pg_restore of PostgreSQL $dump into $dump, or back up with that of $server."
    else
        finding ok pg_dump "pg_dump is of the server's version, PostgreSQL $server."
    fi
    if [ -n "$backup_to" ]; then
        free=$(df -Pk "$backup_to" | awk 'NR == 2 { print $4 }')
        size=$(query "SELECT pg_database_size(current_database()) / 1024")
        room="$backup_to has $((free / 1024)) MiB free, for a database of $((size / 1024)) MiB."
        if [ ! -w "$backup_to" ]; then
            finding problem room "$backup_to is not for this user to write to." "Name another folder."
        elif [ "$free" -lt $((size / 10)) ]; then
            finding problem room "$room" "Name a folder with more room."
        elif [ "$free" -lt "$size" ]; then
            finding warning room "$room" "A backup is compressed and may fit; watch it."
        else
            finding ok room "$room"
        fi
    fi
fi

if [ -n "$backups" ]; then
    recent=$(find "$backups" -type f -size +0 ! -name '*.partial' -mmin "-$((hours * 60))" | head -n 1)
    if [ -n "$recent" ]; then
        finding ok backup "$recent is younger than $hours hours."
    else
        finding problem backup "$backups has no backup younger than $hours hours." \
            "Run backup.sh, and see why it did not run by itself."
    fi
fi
exit "$worst"
