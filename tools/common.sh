# Shared by the scripts in tools/: messages, progress, paths. Sourced, not run.
# shellcheck shell=bash

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
die() {
    printf '\033[1;31merror:\033[0m %s\n' "$*" >&2
    exit 1
}

# run_logged LOG COMMAND...: runs quietly with a dot every two seconds; on failure shows the log's end.
run_logged() {
    local log=$1 pid waited=0
    shift
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        waited=$((waited + 1))
        if [ $((waited % 10)) -eq 0 ]; then printf '.'; fi
    done
    if [ "$waited" -ge 10 ]; then printf '\n'; fi
    if ! wait "$pid"; then
        tail -n 40 "$log" >&2
        return 1
    fi
}

# The newest PostgreSQL of this machine (directory of initdb, postgres, pg_ctl).
postgres_bindir() {
    local directory
    directory=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
    if [ -z "$directory" ]; then directory=$(pg_config --bindir 2>/dev/null || true); fi
    if [ ! -x "$directory/initdb" ]; then die "no PostgreSQL server programs found; make setup installs them"; fi
    printf '%s\n' "$directory"
}
