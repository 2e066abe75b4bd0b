# shellcheck shell=bash
# The ONNX Runtime library, the weights and the release build.

# choose_runtime cpu|openvino|gpu: the set-up's runtime from here on.
choose_runtime() {
    RUNTIME="$1"
    RUNTIME_DIR="$JAGA_HOME/runtime/$1"
    local version=1.31.1
    RUNTIME_PROVIDERS=cpu
    case "$1" in
    openvino) version=1.24.1 RUNTIME_PROVIDERS=openvino ;;
    gpu) RUNTIME_PROVIDERS=cuda ;;
    esac
    RUNTIME_LIBRARY="$RUNTIME_DIR/libonnxruntime.so.$version"
}
choose_runtime cpu
WEIGHTS_DIR="$JAGA_HOME/weights"
FETCH="$JAGA_ROOT/scripts/fetch.py"
PINS="$JAGA_ROOT/scripts/pins/wheels.toml"

runtime_fingerprint() {
    fingerprint "$PINS" "$FETCH" -- "$RUNTIME_DIR"/*
}
runtime_is_fresh() { is_fresh "$JAGA_HOME/stamps/runtime-$RUNTIME" "$(runtime_fingerprint)"; }

weights_fingerprint() {
    fingerprint "$PINS" "$FETCH" "$JAGA_ROOT/scripts/derive_model.py" "$JAGA_ROOT"/models/*/model.toml \
        -- "$WEIGHTS_DIR"/*/*
}
weights_are_fresh() { is_fresh "$JAGA_HOME/stamps/weights" "$(weights_fingerprint)"; }

fetch() { JAGA_SETUP_TMP="$JAGA_HOME/tmp" "$JAGA_HOME/venv/bin/python" "$FETCH" "$@" </dev/null; }

make_runtime() {
    runtime_is_fresh && return
    [[ $(uname -m) == x86_64 ]] || die "the pinned ONNX Runtime is for x86_64; this is $(uname -m)"
    make_venv venv setup
    [[ $RUNTIME != gpu ]] || has_room 6 "the CUDA libraries"
    fetch runtime "$RUNTIME" --into "$RUNTIME_DIR"
    write_stamp "$JAGA_HOME/stamps/runtime-$RUNTIME" "$(runtime_fingerprint)"
}

make_weights() {
    weights_are_fresh && return
    make_venv venv setup
    fetch weights --into "$WEIGHTS_DIR"
    write_stamp "$JAGA_HOME/stamps/weights" "$(weights_fingerprint)"
}

# The build is fresh when no source is newer than the start of the last build that succeeded.
build_is_fresh() {
    local stamp="$JAGA_HOME/stamps/build"
    local sources=() path program
    [[ -f $stamp ]] || return 1
    for program in jaga jaga-decoder jaga-perturber; do
        [[ -x $TARGET_DIR/release/$program ]] || return 1
    done
    for path in Cargo.toml Cargo.lock rust-toolchain.toml build.rs .cargo src; do
        [[ -e $JAGA_ROOT/$path ]] && sources+=("$JAGA_ROOT/$path")
    done
    [[ -z "$(find "${sources[@]}" -newer "$stamp" -print -quit)" ]]
}

make_build() {
    build_is_fresh && return
    command -v cargo >/dev/null || die "cargo isn't on the PATH; install Rust (rustup) first"
    say "building jaga (release)"
    local stamp="$JAGA_HOME/stamps/build"
    mkdir -p "$JAGA_HOME/stamps"
    touch "$stamp.new"
    # A terminal gets cargo's progress; a log gets one line.
    local quiet=()
    [[ -t 2 ]] || quiet=(--quiet)
    (cd "$JAGA_ROOT" && cargo build "${quiet[@]}" --release --locked --bins </dev/null >&2)
    mv -f "$stamp.new" "$stamp"
}
