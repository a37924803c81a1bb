#!/usr/bin/env bash
# Builds ts-runc and runs the sample bundle `hello` with it, in a state root of its own that is gone afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh run
if [ "$(id -u)" != 0 ]; then
  echo "making containers needs root: run npm start as root" >&2
  exit 1
fi
executable=$(scripts/bun scripts/build.ts)
bundles/hello/prepare
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
"$executable" --root "$state" run --bundle bundles/hello "hello-$$"
