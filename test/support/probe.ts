// What a container looks like from inside: a shell script that tells all of it, and its words made comparable.

import { comparableGroups, comparableMounts } from "./hybrid-host.ts";

/** The script; busybox runs it. It ends with this status. */
export function probeScript(status: number): string {
  return `
part() { echo "== $1"; }
part status; grep -E '^(Umask|[UG]id|Groups|Cap...|NoNewPrivs|Seccomp|Seccomp_filters|Cpus_allowed|Mems_allowed|Sig(Blk|Ign|Cgt)):' /proc/self/status
part mounts; cat /proc/self/mountinfo
part cgroup; cat /proc/self/cgroup
part limits; cat /proc/self/limits
part attributes; for name in current exec fscreate keycreate prev sockcreate; do test -e /proc/self/attr/$name && echo $name $(cat /proc/self/attr/$name 2>&1); done
part maps; cat /proc/self/uid_map /proc/self/gid_map /proc/self/timens_offsets /proc/self/setgroups
part namespaces; for name in cgroup ipc mnt net pid pid_for_children time time_for_children user uts; do readlink /proc/self/ns/$name; done
part environment; tr '\\0' '\\n' < /proc/$$/environ | sort
part descriptors; ls /proc/$$/fd
part directory; pwd -P; stat -c '%F %a %u %g' .
part names; hostname; cat /proc/sys/kernel/domainname
part sysctls; for name in net/ipv4/ip_forward net/core/somaxconn net/ipv4/ip_default_ttl kernel/msgmax fs/mqueue/msg_max; do echo $name $(cat /proc/sys/$name 2>&1); done
part scores; cat /proc/self/oom_score_adj /proc/self/personality 2>&1
part scheduling; set -- $(sed 's/.*) //' /proc/$$/stat); shift 15; echo priority $1 nice $2; shift 22; echo realtime $1 policy $2; busybox ionice -p $$; uname -m; head -n 1 /proc/self/numa_maps | cut -d ' ' -f 2
part processes; test $$ -eq 1 && echo alone
part devices; busybox find /dev -path /dev/pts -prune -o -path /dev/mqueue -prune -o -exec stat -c '%n %F %a %u %g %t:%T %N' {} ';' | sort
part root; stat -c '%n %F %a %u %g' / /* /made/* /made/*/* /etc/* /tmp/* 2>/dev/null
part links; for name in exe root cwd; do readlink /proc/$$/$name; done
part interfaces; for one in /sys/class/net/*; do echo $one $(cat $one/operstate 2>&1); done; cat /proc/net/dev | grep -c lo:
part limits of groups; for file in ${groupFiles.join(" ")}; do test -e /sys/fs/cgroup/$file && echo $file $(cat /sys/fs/cgroup/$file 2>&1); done
part end
exit ${status}
`;
}

const groupFiles = [
  ["pids/pids.max", "cpu/cpu.shares", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"],
  ["cpuset/cpuset.cpus", "cpuset/cpuset.mems", "memory/memory.limit_in_bytes"],
  ["memory/memory.soft_limit_in_bytes", "memory/memory.swappiness", "freezer/freezer.state"],
  ["pids.max", "cpu.max", "cpu.weight", "cpuset.cpus", "memory.max", "memory.low", "memory.high"],
].flat();

/** The parts of what the script has said, by name. */
export function readParts(output: string): ReadonlyMap<string, readonly string[]> {
  const parts = output.split(/^== /m).slice(1);
  return new Map(
    parts.map((part) => {
      const [name = "", ...all] = part.split("\n");
      const lines = all.filter((line) => line !== "");
      // In a user namespace device nodes are bound, one by one in no order that matters.
      const bound = lines.filter((line) => line.includes(" - devtmpfs "));
      const others = lines.filter((line) => !bound.includes(line));
      return [
        name,
        [...others, ...bound.map((line) => line.replace(/^\d+ \d+ /, "")).sort()],
      ] as const;
    }),
  );
}

export type Names = {
  readonly id: string;
  readonly bundle: string;
  /** What stands for the namespaces that are the host's own, or a neighbour's, by their links. */
  readonly known: ReadonlyMap<string, string>;
};

/** Takes out what differs from one container to the next of the same runtime: its names and the kernel's numbers. */
export function normalise(part: string, line: string, { id, bundle, known }: Names): string {
  // A hierarchy that is mounted while another comparison runs.
  if (/^\d+:hugetlb:/.test(line)) return "";
  const named = line.replaceAll(bundle, "BUNDLE").replaceAll(id, "ID");
  if (part === "cgroup") return comparableGroups(named);
  if (part === "mounts") return normaliseMount(named);
  if (part === "namespaces") return known.get(named) ?? named.replace(/\d+/, "own");
  return named;
}

/**
 * Without the numbers of mounts, peer groups and devices without a disk; and without what docs/compatibility.md lists: later
 * versions of runc make the tmpfs over cgroups read-only when asked to, and limit the one over masked directories;
 * and crun's containers, like ours, show that their root is shared.
 */
function normaliseMount(line: string): string {
  return (comparableMounts([line])[0] ?? "")
    .replace(/ \/sys\/fs\/cgroup r[ow],(.* - tmpfs )/, " /sys/fs/cgroup $1")
    .replace(",size=4k,nr_inodes=1", "")
    .replace(/(\/dev\/null \/proc\/\S+) r[ow],/, "$1 ")
    .replace(/^\d+ \d+ (?=\d+:\d+ )/, "")
    .replace(/^0:\d+ /, "0:N ")
    .replace(/^(\S+ \S+ \/ \S+) shared:\d+ /, "$1 ")
    .replace(/ (shared|master|propagate_from):\d+/g, " $1:N");
}
