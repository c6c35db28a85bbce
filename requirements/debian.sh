#!/bin/sh
# Provide Debian packages: debian.sh PACKAGE[:PROGRAM|:/FILE]...   installs those whose program or file is missing (needs
#                                    root or sudo)
#                          debian.sh --unpack DIR PACKAGE:FILE...   unpacks them into DIR, so that none of their
#                                    services is started on this machine
set -eu

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "missing:$missing; as root: apt-get install$missing" >&2
        exit 1
    fi
}

refresh() {
    # A fresh machine has no package lists; an old one may have lists of packages that are gone.
    as_root apt-get -qq update
}

install() {
    export DEBIAN_FRONTEND=noninteractive
    missing=
    for wanted in "$@"; do
        program=${wanted#*:}
        if [ "$program" != "$wanted" ] && { [ -e "$program" ] || command -v "$program" >/dev/null; }; then continue; fi
        missing="$missing ${wanted%%:*}"
    done
    [ -n "$missing" ] || return 0
    refresh
    # shellcheck disable=SC2086  # names of packages, one argument each
    as_root apt-get -qq -y --no-install-recommends install $missing >/dev/null
}

unpack() {
    directory=$1
    shift
    mkdir -p "$directory"
    for wanted in "$@"; do
        [ -e "$directory/${wanted#*:}" ] && continue
        missing=" ${wanted%%:*}"
        refresh
        (
            cd "$directory"
            # apt drops its rights for downloads and must be allowed to write here.
            apt-get -qq -o APT::Sandbox::User=root download "${wanted%%:*}"
            for archive in "${wanted%%:*}"_*.deb; do
                dpkg-deb -x "$archive" .
                rm "$archive"
            done
        )
    done
}

if [ "$1" = --unpack ]; then
    shift
    unpack "$@"
else
    install "$@"
fi
