# shellcheck shell=bash
# Debian packages. Checked by what they bring, so that other ways to have it count too.

missing_build_packages() {
    pkg-config --exists libavcodec libavformat libavutil libswscale 2>/dev/null ||
        echo libavcodec-dev libavformat-dev libavutil-dev libswscale-dev pkg-config
    has_clang || echo clang libclang-dev
    command -v cc >/dev/null || echo gcc libc6-dev
    [[ -x $JAGA_HOME/venv/bin/python ]] || has_python || echo python3 python3-venv
}

missing_test_packages() {
    command -v ffmpeg >/dev/null || echo ffmpeg
    command -v shellcheck >/dev/null || echo shellcheck
    compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || echo libfaketime
    command -v chromium >/dev/null || echo chromium
}

has_clang() {
    command -v clang >/dev/null && compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null
}

has_python() { python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# install_packages NAME…
install_packages() {
    [[ $# -gt 0 ]] || return 0
    command -v apt-get >/dev/null || die "please install what Debian calls: $*"
    say "installing Debian packages: $*"
    local apt=(apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
    as_root env DEBIAN_FRONTEND=noninteractive "${apt[@]}" update </dev/null >&2 ||
        say "apt-get update failed; trying with the lists that are here"
    as_root env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "$@" \
        </dev/null >&2
}
