# shellcheck shell=bash
# Paths, messages and fingerprints that the set-up's steps share. Sourced, never run.

JAGA_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
JAGA_HOME="$JAGA_ROOT/.jaga"
TARGET_DIR="${CARGO_TARGET_DIR:-$JAGA_ROOT/target}"

say() { printf 'set-up: %s\n' "$*" >&2; }

die() {
    printf 'set-up: error: %s\n' "$*" >&2
    exit 1
}

# Run a command as root, through sudo where we aren't.
as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "need root for: $* (no sudo here)"
    fi
}

# has_room GB WHAT: stop where the disk under .jaga has less than that.
has_room() {
    local free
    free="$(df --output=avail --block-size=1G "$JAGA_HOME" | tail -n 1)"
    ((free >= $1)) || die "$2 need $1 GB in $JAGA_HOME while they are unpacked; $((free)) GB are free"
}

# fingerprint INPUT… -- OUTPUT…
# The content of the inputs, and identity, size and change time of the outputs: cheap to compute,
# different as soon as a pin moved or a result was replaced, cut short or removed.
fingerprint() {
    local inputs=()
    while [[ $1 != -- ]]; do
        inputs+=("$1")
        shift
    done
    shift
    cat -- "${inputs[@]}" | sha256sum
    stat --format '%n %s %i %z' -- "$@" 2>&1
}

# is_fresh STAMP FINGERPRINT: the step that wrote STAMP would do the same again.
is_fresh() { [[ -f $1 && "$(<"$1")" == "$2" ]]; }

# write_stamp STAMP FINGERPRINT, whole or not at all.
write_stamp() {
    mkdir -p "$(dirname "$1")"
    printf '%s\n' "$2" >"$1.new"
    mv -f "$1.new" "$1"
}
