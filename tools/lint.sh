#!/usr/bin/env bash
# Static checks, one line each; complaints are shown below the line and kept in build/log/lint-NAME.log.
#   lint.sh                 all
#   lint.sh format tidy     only these
# format headers layers tests bans sql duplicates shell cppcheck tidy ui
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

python=/usr/bin/python3
build=build/lint
show=60 # lines of complaints; all of them are in the log
failed=()

# Never compiled: clang-tidy reads its compile_commands.json.
configure() {
    cmake -S . -B $build -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug >build/log/lint-configure.log 2>&1 ||
        { tail -n 20 build/log/lint-configure.log >&2 && return 1; }
}

check_format() {
    local files
    mapfile -t files < <(git ls-files -- '*.c' '*.h')
    clang-format --dry-run -Werror "${files[@]}"
    echo "format: ${#files[@]} files"
}
check_headers() { tools/check_headers.sh; }
check_layers() { $python tools/check_layers.py; }
check_tests() { $python tools/check_tests.py; }
check_bans() { $python tools/check_bans.py; }
check_sql() { $python tools/check_sql.py; }
check_duplicates() { $python tools/check_duplicates.py; }
check_shell() {
    local files
    mapfile -t files < <(git grep -l -E '^#!/(usr/bin/env (ba)?sh|bin/(ba)?sh)' -- ':!frontend'; echo tools/common.sh)
    shellcheck -x -P .:frontend "${files[@]}"
    echo "shell: ${#files[@]} files"
}
check_cppcheck() {
    mkdir -p $build/cppcheck
    cppcheck --enable=warning,performance,portability --std=c11 -D_GNU_SOURCE -I. --inline-suppr --quiet \
        --suppressions-list=tools/cppcheck.txt --cppcheck-build-dir=$build/cppcheck --error-exitcode=1 -j "$(nproc)" \
        lib collector backend
    echo "cppcheck: clean"
}
check_tidy() {
    configure
    $python tools/run_tidy.py $build
}
check_ui() {
    if [ ! -d frontend/node_modules ]; then
        echo "ui: skipped, frontend/node_modules is not there (make build fetches it)"
        return 0
    fi
    npm --prefix frontend run --silent lint
    echo "ui: clean"
}

# run NAME: its result in one line, its complaints below.
run() {
    local name=$1 begin status log=build/log/lint-$1.log
    begin=$(date +%s)
    printf '    %-11s' "$name"
    set +e # in a condition the check would go on behind a step that failed
    (set -e; "check_$name") >"$log" 2>&1
    status=$?
    set -e
    if [ $status -eq 0 ]; then
        printf ' ok     %4d s  %s\n' $(($(date +%s) - begin)) "$(tail -n 1 "$log")"
    else
        printf ' FAILED %4d s  %s\n' $(($(date +%s) - begin)) "$log"
        head -n $show "$log" | sed 's/^/        /'
        failed+=("$name")
    fi
}

mkdir -p build/log
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    names=(format headers layers tests bans sql duplicates shell cppcheck tidy ui)
fi
say "checking: ${names[*]}"
for name in "${names[@]}"; do run "$name"; done
if [ ${#failed[@]} -gt 0 ]; then die "lint failed: ${failed[*]}"; fi
say "clean"
