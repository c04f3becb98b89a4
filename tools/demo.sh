#!/usr/bin/env bash
# The demo: demo.sh start | stop | status.
# start: a PostgreSQL with a lively load (or TARGET=postgres://...), the backend with its private store, a collector that
# registers over HTTPS. Leaves them running and writes var/demo/env. Repeating it starts what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

DEMO_PORT=${DEMO_PORT:-8443}
TARGET=${TARGET:-}
env_file=var/demo/env

# PostgreSQL refuses to run as root: then it runs as the user that its package made, in a place that user can reach.
as_owner=()
home=$PWD/var/demo
if [ "$(id -u)" -eq 0 ]; then
    as_owner=(env -C / runuser -u postgres --)
    mkdir -p var
    if ! "${as_owner[@]}" test -x "$PWD/var" 2>/dev/null; then home=/var/lib/pganalytics-demo; fi
fi
run=$home/run

pid_of() { cat "$run/$1.pid" 2>/dev/null || true; }

# is_running NAME: our process of that name lives, and is not another one with a recycled number.
is_running() {
    local pid
    pid=$(pid_of "$1")
    [ -n "$pid" ] && [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -F "$2"
}

# start_daemon NAME COMMAND...: in the background, its output in $home/log/NAME.log.
start_daemon() {
    local name=$1
    shift
    setsid nohup "$@" >>"$home/log/$name.log" 2>&1 </dev/null &
    echo $! >"$run/$name.pid"
}

# wait_for SECONDS WHAT COMMAND...: polls until the command succeeds.
wait_for() {
    local seconds=$1 what=$2 deadline
    shift 2
    deadline=$(($(date +%s) + seconds))
    until "$@" >/dev/null 2>&1; do
        if [ "$(date +%s)" -ge "$deadline" ]; then die "$what: not within $seconds s; the logs are in $home/log"; fi
        sleep 0.3
    done
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port=$1
    until port_is_free "$port"; do port=$((port + 1)); done
    printf '%s\n' "$port"
}

stop_one() {
    local name=$1 mark=$2 pid
    pid=$(pid_of "$name")
    if is_running "$name" "$mark"; then
        kill -TERM "$pid" 2>/dev/null || true
        wait_for 30 "stopping $name" sh -c "! kill -0 $pid"
    fi
    rm -f "$run/$name.pid"
}

load_clients="write_shop write_billing read_shop read_analytics report lock"

stop_all() {
    local client
    for client in $load_clients; do stop_one "load_$client" pgbench; done
    stop_one collector "pganalytics --config"
    stop_one backend pganalytics-api
    if [ -e "$home/monitored/postmaster.pid" ]; then
        "${as_owner[@]}" "$(postgres_bindir)/pg_ctl" -D "$home/monitored" -m fast -s stop || true
    fi
    say "the demo is stopped; its data stay in $home (remove that folder to begin anew)"
}

start_monitored() {
    local bin data=$home/monitored port
    bin=$(postgres_bindir)
    if [ ! -e "$data/PG_VERSION" ]; then
        say "creating the PostgreSQL server to be watched"
        run_logged "$home/log/initdb.log" "${as_owner[@]}" "$bin/initdb" -D "$data" -U postgres -A trust --no-sync \
            -E UTF8 --locale=C.UTF-8
        cat >>"$data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$home/socket'
shared_preload_libraries = 'pg_stat_statements'
shared_buffers = 64MB
max_connections = 60
track_io_timing = on
log_lock_waits = on
fsync = off
CONF
    fi
    if ! "${as_owner[@]}" "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; then
        port=$(free_port $((DEMO_PORT + 1)))
        echo "$port" >"$run/monitored.port"
        "${as_owner[@]}" "$bin/pg_ctl" -D "$data" -s -w -l "$home/log/monitored.log" -o "-p $port" start
    fi
    port=$(cat "$run/monitored.port")
    MONITORED_DSN="postgres://postgres@127.0.0.1:$port/postgres"
    if ! psql -qAt "$MONITORED_DSN" -c "select 1 from pg_database where datname = 'analytics'" | grep -q 1; then
        say "creating databases shop, billing and analytics with 48 tables"
        psql -q "$MONITORED_DSN" -c "create role pganalytics_monitoring login password 'demo' in role pg_monitor" \
            -c 'create extension pg_stat_statements'
        local database
        for database in shop billing analytics; do
            psql -q "$MONITORED_DSN" -c "create database $database"
            psql -q "postgres://postgres@127.0.0.1:$port/$database" -v tables=16 -f tools/demo/schema.sql >/dev/null
        done
    fi
}

# start_client NAME DATABASE SCRIPT CLIENTS RATE: one pgbench, held to RATE transactions a second.
start_client() {
    local name=$1 database=$2 script=$3 clients=$4 rate=$5 port
    if is_running "load_$name" pgbench; then return; fi
    port=$(cat "$run/monitored.port")
    start_daemon "load_$name" env PGAPPNAME="$name" "$(postgres_bindir)/pgbench" -n -U postgres -h 127.0.0.1 -p "$port" \
        -c "$clients" -R "$rate" -T 31536000 -f "tools/demo/$script.sql" "$database"
}

start_load() {
    say "starting the load"
    start_client write_shop shop write 3 40
    start_client write_billing billing write 2 10
    start_client read_shop shop read 3 60
    start_client read_analytics analytics read 2 20
    start_client report analytics report 1 0.5
    start_client lock billing lock 2 0.2
}

start_backend() {
    if is_running backend pganalytics-api; then return; fi
    say "starting the backend with its private store"
    start_daemon backend env DATA_DIR="$home/backend" PORT="$DEMO_PORT" LISTEN_ADDRESS=127.0.0.1 TLS_ENABLED=true \
        REGISTRATION_SECRET="$(cat "$home/registration.secret")" "$PWD/build/bin/pganalytics-api"
    echo "$DEMO_PORT" >"$run/backend.port"
    wait_for 60 "the backend's health" curl -fsS --cacert "$home/backend/ca.crt" "$API_URL/api/v1/health"
}

secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

register_collector() {
    if [ -e "$home/collector/identity.json" ]; then return; fi
    say "registering the collector"
    build/bin/pganalytics register --config "$COLLECTOR_CONFIG" --api "$API_URL" --ca "$home/backend/ca.crt" \
        --secret-file "$home/registration.secret" --name demo
}

write_collector_config() {
    cat >"$COLLECTOR_CONFIG" <<CONF
# Written by make demo.
[collector]
interval = 10
state_dir = "$home/collector"

[backend]
url = "$API_URL"

[[postgres]]
name = "demo"
dsn = "$COLLECTOR_DSN"
databases = ["*"]

[buffer]
flush_interval = 1
CONF
}

api() { curl -fsS --cacert "$API_CA" -H "Authorization: Bearer $token" "$API_URL/api/v1/$1"; }

first_rows_are_readable() {
    token=$(curl -fsS --cacert "$API_CA" -H 'Content-Type: application/json' \
        -d "{\"login\":\"$API_USER\",\"password\":\"$API_PASSWORD\"}" "$API_URL/api/v1/auth/login" | jq -er .access_token)
    server_id=$(api servers | jq -er '.servers[0].id')
    api "servers/$server_id/metrics?metric=pg_stat_database.xact_commit&from=-10m" |
        jq -e '[.metrics[0].series[].points[] | select(.[1] != null and .[1] > 0)] | length > 0'
}

start_all() {
    mkdir -p var/demo "$home/log" "$run" "$home/socket" "$home/collector" "$home/backend"
    chmod 700 "$home/collector" "$home/backend"
    if [ ${#as_owner[@]} -gt 0 ]; then
        chmod 755 "$home"
        mkdir -p "$home/monitored"
        chown postgres "$home/monitored" "$home/socket"
        chmod 1777 "$home/log"
        chmod 700 "$home/monitored"
    fi
    if is_running backend pganalytics-api; then
        DEMO_PORT=$(cat "$run/backend.port")
    elif ! port_is_free "$DEMO_PORT"; then
        die "port $DEMO_PORT is taken by another program; choose one: make demo DEMO_PORT=9443"
    fi
    if [ ! -e "$home/registration.secret" ]; then (umask 077 && secret >"$home/registration.secret"); fi
    if [ ! -e "$home/admin.password" ]; then (umask 077 && secret | cut -c1-16 >"$home/admin.password"); fi

    API_URL=https://127.0.0.1:$DEMO_PORT
    API_CA=$home/backend/ca.crt
    API_USER="admin"
    API_PASSWORD=$(cat "$home/admin.password")
    COLLECTOR_CONFIG=$home/collector.toml
    # shellcheck disable=SC2034 # written to the env file by name
    STORE_DSN="host=$home/backend/postgres/run dbname=pganalytics user=pganalytics"

    if [ -n "$TARGET" ]; then
        MONITORED_DSN=$TARGET
        COLLECTOR_DSN=$TARGET
    else
        start_monitored
        COLLECTOR_DSN="postgres://pganalytics_monitoring:demo@127.0.0.1:$(cat "$run/monitored.port")/postgres"
    fi
    start_backend
    if ! DATA_DIR="$home/backend" build/bin/pganalytics-api user list 2>/dev/null | grep -qw "$API_USER"; then
        DATA_DIR="$home/backend" build/bin/pganalytics-api user add "$API_USER" --role admin <"$home/admin.password"
    fi
    (umask 077 && write_collector_config)
    register_collector
    if [ -z "$TARGET" ]; then start_load; fi
    if is_running collector "pganalytics --config"; then
        kill -HUP "$(pid_of collector)"
    else
        say "starting the collector, every 10 s"
        start_daemon collector "$PWD/build/bin/pganalytics" --config "$COLLECTOR_CONFIG"
    fi

    (
        umask 077
        for name in API_URL API_CA API_USER API_PASSWORD MONITORED_DSN STORE_DSN COLLECTOR_CONFIG; do
            printf '%s=%q\n' "$name" "${!name}"
        done >"$env_file"
    )
    say "waiting for the first rows (two readings)"
    wait_for 90 "the first rows" first_rows_are_readable
    cat <<TEXT

pgAnalytics watches $([ -n "$TARGET" ] && echo "your server" || echo "the demo's server").

  Open    $API_URL/        (the certificate is the demo's own: your browser will ask; its CA is $API_CA)
  Login   $API_USER / $API_PASSWORD

  Try     . $env_file
          token=\$(curl -s --cacert "\$API_CA" -d '{"login":"'\$API_USER'","password":"'\$API_PASSWORD'"}' "\$API_URL/api/v1/auth/login" | jq -r .access_token)
          curl -s --cacert "\$API_CA" -H "Authorization: Bearer \$token" "\$API_URL/api/v1/servers" | jq

  Logs    $home/log
  End     make stop
TEXT
}

case "${1:-}" in
    start) start_all ;;
    stop) stop_all ;;
    *) die "usage: demo.sh start | stop" ;;
esac
