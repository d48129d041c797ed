# shellcheck shell=sh
# Read by the scripts beside it: messages, and the way to the database.

program=${0##*/}
# shellcheck disable=SC2034 # for those who read this
here=$(dirname "$0")
export PGCONNECT_TIMEOUT="${PGCONNECT_TIMEOUT:-10}"

# fail CODE WORD...
fail() {
    code=$1
    shift
    echo "$program: $*" >&2
    exit "$code"
}

# step WORD...: what comes next, of several scripts in a row.
step() {
    echo "== $*"
}

# need PROGRAM...
need() {
    for wanted; do
        command -v "$wanted" >/dev/null && continue
        case $wanted in
            observatory-store) fail 2 "observatory-store is missing: pip install observatory-store" ;;
            yoyo) fail 2 "yoyo is missing: pip install yoyo-migrations 'psycopg[binary]'" ;;
            *) fail 2 "$wanted is missing: install PostgreSQL's client programs" ;;
        esac
    done
}

# need_number OPTION VALUE
need_number() {
    case $2 in '' | *[!0-9]*) fail 2 "$1 needs a number, not '$2'" ;; esac
}

# Sets url, for libpq. A password goes to PGPASSWORD: it would show in the list of processes.
read_url() {
    url=${OBSERVATORY_DATABASE_URL:-}
    case $url in
        postgresql+psycopg://* | postgresql://* | postgres://*) url=${url#*://} ;;
        '') fail 2 "OBSERVATORY_DATABASE_URL is not set" ;;
        *) fail 2 "OBSERVATORY_DATABASE_URL must begin with postgresql://" ;;
    esac
    authority=${url%%[/?]*}
    case $authority in
        *:*@*)
            user=${authority%@*}
            PGPASSWORD=$(decoded "${user#*:}")
            export PGPASSWORD
            url="${user%%:*}@${authority##*@}${url#"$authority"}"
            ;;
    esac
    url="postgresql://$url"
}

# decoded TEXT: with its %41 as A.
decoded() {
    printf '%s\n' "$1" | LC_ALL=C awk '{
        while (match($0, /%[0-9A-Fa-f][0-9A-Fa-f]/)) {
            high = index("0123456789ABCDEF", toupper(substr($0, RSTART + 1, 1))) - 1
            low = index("0123456789ABCDEF", toupper(substr($0, RSTART + 2, 1))) - 1
            printf "%s%c", substr($0, 1, RSTART - 1), 16 * high + low
            $0 = substr($0, RSTART + 3)
        }
        print
    }'
}

# query SQL
query() {
    psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 \
        --dbname="$url" --command="$1"
}

# wait_until SECONDS COMMAND...: until COMMAND reaches the database.
wait_until() {
    seconds=$1
    shift
    deadline=$(($(date +%s) + seconds))
    until said=$("$@" 2>&1 </dev/null); do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            said=$(printf '%s' "$said" | tail -n 2 | tr -s '[:space:]' ' ')
            fail 3 "the database did not answer within $seconds s: $said"
        fi
        sleep 1
    done
}

# The major version of a client program, and of the server.
major_of() {
    "$1" --version | sed -n 's/^[^0-9]*\([0-9]*\).*/\1/p'
}
server_major() {
    echo $(($(query "SHOW server_version_num") / 10000))
}
