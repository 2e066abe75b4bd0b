# shellcheck shell=bash
# Joins the set-up's steps: quick when nothing is missing, one at a time otherwise.

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=scripts/lib/system.sh
source "$JAGA_ROOT/scripts/lib/system.sh"
# shellcheck source=scripts/lib/python.sh
source "$JAGA_ROOT/scripts/lib/python.sh"
# shellcheck source=scripts/lib/artefacts.sh
source "$JAGA_ROOT/scripts/lib/artefacts.sh"

# locked FUNCTION: run it in a subshell under the set-up lock, with an empty .jaga/tmp. Never call it
# in a condition: bash would then go on after a failed step.
locked() {
    mkdir -p "$JAGA_HOME"
    (
        set -euo pipefail
        if ! flock --nonblock 9; then
            say "another set-up is running; waiting for it"
            flock 9
        fi
        rm -rf "$JAGA_HOME/tmp"
        mkdir "$JAGA_HOME/tmp"
        trap 'rm -rf "$JAGA_HOME/tmp"' EXIT
        trap 'exit 130' INT TERM
        "$1" 9>&-
    ) 9>"$JAGA_HOME/lock"
}

parts_are_fresh() { runtime_is_fresh && weights_are_fresh; }

make_run() {
    local packages
    packages="$(missing_build_packages)"
    # shellcheck disable=SC2086  # a list of names
    install_packages $packages
    make_runtime
    make_weights
    make_build
}

make_test() {
    local packages
    packages="$(missing_build_packages; missing_test_packages)"
    # shellcheck disable=SC2086  # a list of names
    install_packages $packages
    choose_runtime openvino
    make_runtime
    choose_runtime cpu
    make_runtime
    make_weights
    make_venv venv-test test
    make_venv venv-lint lint
}

set_up_to_run() {
    if parts_are_fresh && build_is_fresh; then return; fi
    locked make_run
}

set_up_to_test() { locked make_test; }

# What jaga reads; a value that is set already wins.
export_environment() {
    if [[ $RUNTIME != cpu ]]; then
        export JAGA_PROVIDERS="${JAGA_PROVIDERS:-$RUNTIME_PROVIDERS}"
        # A server loads what holds its golden output there: docs/providers.md.
        export JAGA_MODELS__LOAD="${JAGA_MODELS__LOAD:-genai-clip,centerface}"
    fi
    # The CUDA provider and cuDNN name the libraries that they load, not where those are.
    if [[ $RUNTIME == gpu ]]; then
        export LD_LIBRARY_PATH="$RUNTIME_DIR${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    fi
    export JAGA_RUNTIME__LIBRARY="${JAGA_RUNTIME__LIBRARY:-$RUNTIME_LIBRARY}"
    export JAGA_MODELS__WEIGHTS_DIR="${JAGA_MODELS__WEIGHTS_DIR:-$WEIGHTS_DIR}"
    export JAGA_MODELS__DIRS="${JAGA_MODELS__DIRS:-$JAGA_ROOT/models}"
    export JAGA_DATA_DIR="${JAGA_DATA_DIR:-$JAGA_HOME/data}"
}
