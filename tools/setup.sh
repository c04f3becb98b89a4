#!/usr/bin/env bash
# Installs what building, testing and the demo need, from the distribution's packages. Debian 12, Debian 13 and
# Ubuntu 24.04; root or sudo. Does nothing, in a moment, when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

. /etc/os-release
case "$ID-${VERSION_ID:-}" in
    debian-12) llvm=14 ;;
    debian-13) llvm=19 ;;
    ubuntu-24.04) llvm=18 ;;
    *) die "this script knows Debian 12, Debian 13 and Ubuntu 24.04, not ${PRETTY_NAME:-this system}; its package list (tools/setup.sh) shows what to install by hand, then set PGA_SKIP_SETUP=1" ;;
esac

packages=(
    # building
    gcc make cmake ninja-build ccache pkg-config git
    libpq-dev libcurl4-openssl-dev libssl-dev libmicrohttpd-dev libgnutls28-dev libsodium-dev
    libzstd-dev libdeflate-dev libyyjson-dev libcjose-dev libjansson-dev
    # the store, the demo's server, testing
    postgresql libcmocka-dev locales curl python3 python3-pytest python3-pytest-xdist python3-psycopg2 python3-requests python3-cryptography openssl jq zstd
    # analysis and fuzzing
    clang "clang-$llvm" clang-tidy clang-format "libclang-rt-$llvm-dev" "llvm-$llvm" cppcheck shellcheck gcovr
    # the UI's tests
    chromium
)
[ "$ID" = ubuntu ] && packages=("${packages[@]/chromium/chromium-browser}")
# Node.js from elsewhere (a newer one) is as good as the distribution's.
command -v node >/dev/null && command -v npm >/dev/null || packages+=(nodejs npm)

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
done

if [ "${PGA_SKIP_SETUP:-}" = 1 ] || [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

sudo=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "installing packages needs root or sudo. Missing: ${missing[*]}"
    sudo=(sudo)
fi

say "installing ${#missing[@]} packages: ${missing[*]}"
# The PostgreSQL package must not start a server of its own on this machine.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    "${sudo[@]}" mkdir -p /etc/postgresql-common
    printf 'create_main_cluster = false\n' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
"${sudo[@]}" apt-get update -qq

# Debian 12 has no yyjson: Debian 13's packages need only libc >= 2.14 and install there unchanged.
install_yyjson_from_debian_13() {
    local directory
    directory=$(mktemp -d)
    mkdir -p "$directory/lists/partial" "$directory/cache/archives/partial"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n' \
        >"$directory/sources.list"
    local options=(-o "Dir::Etc::sourcelist=$directory/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::Lists=$directory/lists" -o "Dir::Cache=$directory/cache" -o APT::Sandbox::User=)
    apt-get "${options[@]}" update -qq
    (cd "$directory" && apt-get "${options[@]}" download -qq libyyjson0 libyyjson-dev)
    "${sudo[@]}" dpkg -i "$directory"/libyyjson*.deb >/dev/null
    rm -rf "$directory"
}
if [[ " ${missing[*]} " == *" libyyjson-dev "* ]] && ! apt-cache show libyyjson-dev >/dev/null 2>&1; then
    say "yyjson comes from Debian 13"
    install_yyjson_from_debian_13
    for i in "${!missing[@]}"; do
        [ "${missing[$i]}" = libyyjson-dev ] && unset "missing[$i]"
    done
fi

if [ ${#missing[@]} -gt 0 ]; then
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get could not install: ${missing[*]}. Its messages stand above; run it by hand to see more"
fi
say "packages are there"
