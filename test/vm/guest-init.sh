#!/bin/busybox sh
# The machine's initramfs (/init): loads the drivers, mounts the two disks and hands over to the tree's guest-run.sh.
# It is part of the cached image; what changes from run to run belongs into guest-run.sh.
set -eu
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
mount -t ext4 "$(findfs LABEL=ts-runc-base)" /root
mount -t ext4 "$(findfs LABEL=ts-runc-tree)" /root/work-tree
for directory in proc sys dev; do mount --move "/$directory" "/root/$directory"; done
exec switch_root /root /bin/sh /work-tree/test/vm/guest-run.sh
