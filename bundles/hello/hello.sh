# Says what a container looks like from the inside.

heading() { printf '\n%s\n' "$1"; }

# One of the files in which cgroup v1 and v2 keep the same limit.
limit() {
  for file in "$2" "$3"; do
    [ ! -e "/sys/fs/cgroup/$file" ] || printf '  %-16s %s\n' "$1" "$(cat "/sys/fs/cgroup/$file")"
  done
}

echo "Hello, I am process $$ of the host \"$(hostname)\"."

heading "All processes that I see:"
for status in /proc/[0-9]*/cmdline; do
  process=${status#/proc/}
  [ ! -e "$status" ] || printf '  %-4s %s\n' "${process%/cmdline}" "$(tr '\0' ' ' <"$status")"
done

heading "My network devices:"
tail -n +3 /proc/net/dev | sed 's/:.*//; s/^ */  /'

heading "My mounts:"
while read -r source target type options _; do
  printf '  %-22s %-8s %s\n' "$target" "$type" "${options%%,*}"
done </proc/mounts

heading "My limits:"
printf '  %-16s %s of at most %s\n' "open files" "$(ulimit -Sn)" "$(ulimit -Hn)"
limit memory memory/memory.limit_in_bytes memory.max
limit processes pids/pids.max pids.max
limit "cpu quota" cpu/cpu.cfs_quota_us cpu.max

heading "My capabilities:"
bit=0
effective=0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
for name in chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap \
  linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module \
  sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time \
  sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog \
  wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore; do
  [ $(((effective >> bit) & 1)) = 0 ] || printf '  %s\n' "$name"
  bit=$((bit + 1))
done
