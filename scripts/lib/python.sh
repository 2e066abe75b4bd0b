# shellcheck shell=bash
# Virtual environments with pinned, hash-checked packages.

# venv_fingerprint NAME PINS
venv_fingerprint() { fingerprint "$JAGA_ROOT/scripts/pins/$2.txt" -- "$JAGA_HOME/$1/pyvenv.cfg"; }

venv_is_fresh() {
    [[ -x $JAGA_HOME/$1/bin/python ]] &&
        is_fresh "$JAGA_HOME/$1/.stamp" "$(venv_fingerprint "$1" "$2")"
}

# make_venv NAME PINS: .jaga/NAME with what scripts/pins/PINS.txt lists. A venv doesn't survive a
# rename, so the stamp, written last, is what makes it whole.
make_venv() {
    venv_is_fresh "$1" "$2" && return
    local venv="$JAGA_HOME/$1"
    say "Python packages of scripts/pins/$2.txt into .jaga/$1"
    rm -rf "$venv"
    python3 -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --only-binary=:all: --require-hashes -r "$JAGA_ROOT/scripts/pins/$2.txt" </dev/null >&2
    write_stamp "$venv/.stamp" "$(venv_fingerprint "$1" "$2")"
}
