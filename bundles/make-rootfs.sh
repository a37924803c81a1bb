#!/bin/sh
# Makes a root file system in DIR from the host's static busybox: all its programs in /bin, and empty directories to
# mount on. What is already there stays.
#
#   make-rootfs.sh DIR
set -eu
directory=${1:?usage: make-rootfs.sh DIR}
busybox=/bin/busybox
[ -e "$busybox" ] || { echo "$busybox is missing: apt-get install busybox-static" >&2; exit 1; }
mkdir -p "$directory"
cd "$directory"
mkdir -p bin dev etc proc root sys tmp
chmod 1777 tmp
if [ ! -e bin/busybox ]; then
  cp "$busybox" bin/busybox
  for name in $(busybox --list); do [ -e "bin/$name" ] || ln -s busybox "bin/$name"; done
fi
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
