# shellcheck shell=bash
# Virtual environments with pinned, hash-checked packages.

# venv_pins PINS: the files that list a venv's packages; those in PINS-bare.txt come without what
# they depend on.
venv_pins() {
    echo "$JAGA_ROOT/scripts/pins/$1.txt"
    local bare="$JAGA_ROOT/scripts/pins/$1-bare.txt"
    [[ ! -f $bare ]] || echo "$bare"
}

# venv_fingerprint NAME PINS
venv_fingerprint() {
    local pins
    mapfile -t pins < <(venv_pins "$2")
    fingerprint "${pins[@]}" -- "$JAGA_HOME/$1/pyvenv.cfg"
}

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
    local pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input)
    pip+=(--only-binary=:all: --require-hashes)
    local bare="$JAGA_ROOT/scripts/pins/$2-bare.txt"
    "${pip[@]}" -r "$JAGA_ROOT/scripts/pins/$2.txt" </dev/null >&2
    [[ ! -f $bare ]] || "${pip[@]}" --no-deps -r "$bare" </dev/null >&2
    write_stamp "$venv/.stamp" "$(venv_fingerprint "$1" "$2")"
}
