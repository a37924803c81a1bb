#!/bin/sh
# Sets up what a host has, runs the wanted files one after the other in Bun processes of their own, and writes frames (see
# bench.ts) to the virtio port. It judges nothing. It is process 1 of a machine without systemd, and bench.service of one with.
export PATH=/usr/local/bin:/usr/bin HOME=/root LANG=C.UTF-8
. /work-tree/.machine/settings # file_timeout_s, and variables of the files

# Where systemd is not: a cgroup v2 tree with every controller, and the usual mounts.
set_up_alone() {
  mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
  done
  mount -t securityfs securityfs /sys/kernel/security
  mount -t bpf bpf /sys/fs/bpf
  mkdir -p /dev/pts /dev/shm
  mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm
  mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
  mount --make-rshared /
  ln -s /proc/self/fd /dev/fd
  ln -s /proc/self/fd/0 /dev/stdin
  ln -s /proc/self/fd/1 /dev/stdout
  ln -s /proc/self/fd/2 /dev/stderr
  hostname machine
  ip link set lo up
}

# What systemd has not done. On v2 a group with groups below it has no processes: one for us, and one for the files.
set_up_below_systemd() {
  own=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
  [ "$machine" = systemd ] || return
  mkdir "$own/bench" "$own/file"
  echo $$ >"$own/bench/cgroup.procs"
  for controller in $(cat "$own/cgroup.controllers"); do
    echo "+$controller" >"$own/cgroup.subtree_control"
  done
}

# Whatever the file left running would disturb the next one.
kill_leftovers() {
  case $machine in
    v2) kill -KILL -1 ;; # this spares only process 1
    systemd) for group in "$own"/*/; do [ "$group" = "$own/bench/" ] || echo 1 >"$group/cgroup.kill"; done ;;
    systemd-v1) for process in $(cat "/sys/fs/cgroup/systemd/system.slice/bench.service/cgroup.procs"); do
      [ "$process" = $$ ] || kill -KILL "$process"
    done ;;
  esac
}

machine=v2
if [ -n "$TS_RUNC_SYSTEMD" ]; then
  machine=systemd
  [ -e /sys/fs/cgroup/cgroup.controllers ] || machine=systemd-v1
fi
exec 3>"$(echo /dev/vport*p1)"
case $machine in v2) set_up_alone ;; *) set_up_below_systemd ;; esac
mkdir -p /dev/mqueue
mountpoint -q /dev/mqueue || mount -t mqueue mqueue /dev/mqueue
cd /work-tree || exit

read -r now _ </proc/uptime
echo "ready $now $(uname -r)" >&3
while read -r file; do
  temporary=$(mktemp -d /tmp/test-XXXXXX)
  read -r now _ </proc/uptime
  echo "begin $now $file" >&3
  (
    [ "$machine" != systemd ] || sh -c 'echo $PPID' >"$own/file/cgroup.procs"
    TMPDIR=$temporary FORCE_COLOR=0 NO_COLOR=1 TS_RUNC_MACHINE=$machine \
      exec timeout -s KILL "$file_timeout_s" bun "$file" >/run/output 2>/run/errors </dev/null 3>&-
  )
  status=$?
  kill_leftovers
  for stream in output errors; do tail -c 1000000 /run/$stream >/run/$stream.tail; done
  read -r now _ </proc/uptime
  echo "end $now $status $(stat -c %s /run/output.tail) $(stat -c %s /run/errors.tail)" >&3
  cat /run/output.tail /run/errors.tail >&3
done </work-tree/.machine/files
echo "done" >&3
poweroff -f
