#!/bin/busybox sh
# The machine's initramfs (/init): loads the drivers, mounts the two disks and hands over to the tree's guest-run.sh,
# or to systemd (MACHINE_INIT=systemd on the kernel's command line), which starts that as a service.
# It is part of the cached image; what changes from run to run belongs into guest-run.sh.
set -eu
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
mount -t ext4 "$(findfs LABEL=ts-runc-base)" /root
mount -t ext4 "$(findfs LABEL=ts-runc-tree)" /root/work-tree
for directory in proc sys dev; do mount --move "/$directory" "/root/$directory"; done
# An option that the kernel does not know comes to us as a variable.
[ "${MACHINE_INIT:-}" != systemd ] || exec switch_root /root /usr/lib/systemd/systemd
exec switch_root /root /bin/sh /work-tree/test/vm/guest-run.sh
