# What scripts say, and how they install what they need. To be sourced, from the project's root.

say() { printf '%s: %s\n' "scripts/$(basename "$0")" "$*" >&2; }
die() { say "$@"; exit 1; }

# Installs Debian packages where it may: with apt-get, as root or by sudo without a password. Else it says what is missing.
install_packages() {
    local as_root=()
    command -v apt-get >/dev/null || die "please install, under your system's names for them: $*"
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
            die "please run: sudo apt-get install --no-install-recommends $*"
        fi
        as_root=(sudo -n)
    fi
    say "installing $*"
    "${as_root[@]}" apt-get update -q >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$@" >&2
    # The tests start nginx themselves: the web server that the package starts on port 80 was not asked for.
    if [[ " $* " == *" nginx "* ]] && [ -d /run/systemd/system ]; then
        "${as_root[@]}" systemctl disable --now nginx >&2 || true
    fi
}
