// Which files of a cgroup count or tell time, and differ from one container to the next: all others are settings, and can be
// compared.

const counters: readonly RegExp[] = [
  /^(tasks|cgroup\.(procs|threads|events|stat))$/,
  /^cpuacct\./,
  /^(cpu|io|memory)\.stat(\.local)?$/,
  /^(cpu|io|memory|irq)\.pressure$/,
  // `blkio.time` and the like, but not the throttles' own files.
  /^blkio\.((bfq|throttle)\.)?(io_[a-z_]+|sectors|time)(_recursive)?$/,
  /\.(max_usage_in_bytes|usage_in_bytes|failcnt)$/,
  /\.(current|peak|events|events\.local|numa_stat)$/,
  /^memory\.kmem\.slabinfo$/,
  // A number that the kernel gives to the group.
  /^net_prio\.prioidx$/,
];

/** Whether what is in the file says nothing about how the group has been set up. */
export function isCounter(file: string): boolean {
  return counters.some((pattern) => pattern.test(file));
}
