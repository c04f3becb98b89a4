#!/usr/bin/env bash
# Compiles each header of lib/, collector/, backend/ and tests/ alone: a header includes what it needs.
#   check_headers.sh [ROOT]
set -euo pipefail
root=${1:-$(dirname "$0")/..}
cd "$root"

modules=(libpq libcurl openssl libmicrohttpd gnutls libsodium libzstd libdeflate yyjson cjose cmocka)
read -r -a flags <<<"$(pkg-config --cflags "${modules[@]}")"
flags+=(-std=gnu17 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -fsyntax-only -x c)
# cmocka.h wants these before it, as its manual says.
flags+=(-include setjmp.h -include stdarg.h -include stddef.h -include stdint.h)

mapfile -t headers < <(find lib collector backend tests -name '*.h' 2>/dev/null | sort)
if [ ${#headers[@]} -eq 0 ]; then
    echo "headers: none found in $root" >&2
    exit 1
fi
compile() {
    local header=$1
    shift
    printf '#include "%s"\n' "$header" | "${CC:-cc}" "$@" - || printf '%s does not compile alone\n' "$header"
}
export -f compile
faults=$(printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I{} bash -c 'compile "$@"' _ {} "${flags[@]}" 2>&1)
if [ -n "$faults" ]; then
    printf '%s\n' "$faults"
    echo "headers: ${#headers[@]} compiled, some do not compile alone"
    exit 1
fi
echo "headers: ${#headers[@]} compile alone"
