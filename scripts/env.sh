# shellcheck shell=bash
# Sourced by the other scripts: where things are, and which toolchain builds what.
#
# Sets ROOT (the clone), CARGO_TARGET_DIR, COMPONENTS (package names), HOST_BIN, and after
# `find_wasm_toolchain` the array WASM_CARGO, the cargo that can build for wasm32-wasip2.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WASM=wasm32-wasip2

# Outside the clone, so that a second clone and a later run on the same machine find it built.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/flownally-edge/target}
case "$CARGO_TARGET_DIR" in /*) ;; *) CARGO_TARGET_DIR=$PWD/$CARGO_TARGET_DIR ;; esac

# Only scripts that run the program read this.
# shellcheck disable=SC2034
HOST_BIN=$CARGO_TARGET_DIR/host/flownally-host

# A component is a folder below components/ with a Cargo.toml; the package has the folder's name.
COMPONENTS=()
for manifest in "$ROOT"/components/*/Cargo.toml; do
  manifest=${manifest%/Cargo.toml}
  COMPONENTS+=("${manifest##*/}")
done
unset manifest

say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# The file name of a component: Cargo turns dashes into underscores.
wasm_file() { echo "${1//-/_}.wasm"; }

# The folder where cargo leaves the components of a profile (release or quick).
wasm_dir() { echo "$CARGO_TARGET_DIR/$WASM/$1"; }

# Finds, and if need be installs, the toolchain for wasm. Exports WASM_TOOLCHAIN when it is not the
# active one, for tests that build components of their own.
find_wasm_toolchain() {
  [ -z "${WASM_CARGO+set}" ] || return 0
  local toolchain active=""
  toolchain=$("$ROOT/scripts/wasm-target")
  has rustup && active=$(rustup show active-toolchain 2>/dev/null | awk '{print $1}')
  WASM_CARGO=(cargo)
  unset WASM_TOOLCHAIN
  if [ -n "$toolchain" ] && [ "$toolchain" != "$active" ]; then
    WASM_CARGO=(cargo "+$toolchain")
    export WASM_TOOLCHAIN=$toolchain
  fi
}
