#!/usr/bin/env bash
# Installs what building and testing need and what is missing: npm packages, and Debian packages unless called with `npm`.
#
#   scripts/setup.sh        both
#   scripts/setup.sh npm    npm packages only (enough for `npm run build` and `npm run check`)
#   scripts/setup.sh run    npm packages and what `npm start` needs
set -euo pipefail
cd "$(dirname "$0")/.."

# npm leaves a copy of the lock file behind; as long as ours is not newer, everything is in place.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
  # Not `npm ci`: it wants optional packages of other platforms in the lock file, which not every registry has.
  npm install --no-save --no-audit --no-fund --ignore-scripts
  touch node_modules/.package-lock.json
fi
[ "${1:-}" = npm ] && exit 0

# Debian package -> a file by which we know that it is there.
run_packages=(
  "busybox-static /bin/busybox"
  "libseccomp2 /usr/lib/$(uname -m)-linux-gnu/libseccomp.so.2"
)
test_packages=(
  "runc /usr/sbin/runc"
  "crun /usr/bin/crun"
  "gcc /usr/bin/gcc"
  "libc6-dev /usr/include/$(uname -m)-linux-gnu/bits/types.h"
  "linux-libc-dev /usr/include/linux/mount.h"
  "linux-libc-dev-arm64-cross /usr/aarch64-linux-gnu/include/linux/bpf.h"
  "binutils /usr/bin/objdump"
  "binutils-aarch64-linux-gnu /usr/bin/aarch64-linux-gnu-objdump"
  "qemu-user-static /usr/bin/qemu-aarch64-static"
  "qemu-system-x86 /usr/bin/qemu-system-x86_64"
  "systemd /usr/lib/systemd/systemd"
  "dbus-daemon /usr/bin/dbus-daemon"
  "dbus-system-bus-common /usr/share/dbus-1/system.conf"
  "dbus-session-bus-common /usr/share/dbus-1/session.conf"
  "e2fsprogs /usr/sbin/mke2fs"
  "iproute2 /usr/sbin/ip"
  "strace /usr/bin/strace"
  "valgrind /usr/bin/valgrind"
  "procps /usr/bin/ps"
  "uidmap /usr/bin/newuidmap"
  "tmux /usr/bin/tmux"
  "containerd /usr/bin/containerd"
  "docker.io /usr/sbin/dockerd"
  "podman /usr/bin/podman"
  "conmon /usr/bin/conmon"
  "criu /usr/sbin/criu"
  "zsh /usr/bin/zsh"
  "fish /usr/bin/fish"
  "groff-base /usr/bin/groff"
  "mandoc /usr/bin/mandoc"
  "apparmor /usr/sbin/apparmor_parser"
  "checkpolicy /usr/bin/checkpolicy"
)
wanted=("${run_packages[@]}")
[ "${1:-}" = run ] || wanted+=("${test_packages[@]}")
missing=()
for entry in "${wanted[@]}"; do
  read -r package file <<<"$entry"
  [ -e "$file" ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "missing Debian packages, install them as root: ${missing[*]}" >&2
    exit 1
  fi
  echo "installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
