#!/bin/sh
# Process 1 of the machine: sets up what a systemd-less cgroup v2 host has, runs the wanted files one after the other in
# Bun processes of their own, and writes frames (see bench.ts) to the virtio port. It judges nothing.
export PATH=/usr/local/bin:/usr/bin HOME=/root LANG=C.UTF-8
. /work-tree/.machine/settings # file_timeout_s
exec 3>"$(echo /dev/vport*p1)"

mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
  echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
mount --make-rshared /
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
hostname machine
ip link set lo up
cd /work-tree || exit

read -r now _ </proc/uptime
echo "ready $now $(uname -r)" >&3
while read -r file; do
  temporary=$(mktemp -d /tmp/test-XXXXXX)
  read -r now _ </proc/uptime
  echo "begin $now $file" >&3
  TMPDIR=$temporary FORCE_COLOR=0 NO_COLOR=1 TS_RUNC_MACHINE=v2 \
    timeout -s KILL "$file_timeout_s" bun "$file" >/run/output 2>/run/errors </dev/null 3>&-
  status=$?
  # Whatever the file left running would disturb the next one; this spares only process 1.
  kill -KILL -1
  for stream in output errors; do tail -c 1000000 /run/$stream >/run/$stream.tail; done
  read -r now _ </proc/uptime
  echo "end $now $status $(stat -c %s /run/output.tail) $(stat -c %s /run/errors.tail)" >&3
  cat /run/output.tail /run/errors.tail >&3
done </work-tree/.machine/files
echo "done" >&3
poweroff -f
