// Where the namespaces of a container can be found, for state.json: tools that enter containers read it.

/** Key in state.json, as runc writes it, and name below /proc/PID/ns. */
const names: readonly (readonly [key: string, name: string])[] = [
  ["NEWNS", "mnt"],
  ["NEWNET", "net"],
  ["NEWUTS", "uts"],
  ["NEWIPC", "ipc"],
  ["NEWPID", "pid"],
  ["NEWUSER", "user"],
  ["NEWCGROUP", "cgroup"],
];

/** Paths of the namespaces of a process. */
export function namespacePaths(pid: number): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map(([key, name]) => [key, `/proc/${pid}/ns/${name}`]));
}
