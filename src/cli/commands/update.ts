// The entry of `update` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import type { Option } from "../options.ts";
import { liveContainer, one } from "./arguments.ts";

const amounts: readonly (readonly [name: string, usage: string])[] = [
  ["cpu-period", "CPU CFS period to be used for hardcapping (in usecs). 0 to use system default"],
  ["cpu-quota", "CPU CFS hardcap limit (in usecs). Allowed cpu time in a given period"],
  [
    "cpu-burst",
    "CPU CFS hardcap burst limit (in usecs). Allowed accumulated cpu time additionally",
  ],
  ["cpu-share", "CPU shares (relative weight vs. other containers)"],
  ["cpu-rt-period", "CPU realtime period to be used for hardcapping (in usecs)"],
  ["cpu-rt-runtime", "CPU realtime hardcap limit (in usecs). Allowed cpu time in a given period"],
  ["cpuset-cpus", "CPU(s) to use"],
  ["cpuset-mems", "Memory node(s) to use"],
  ["memory", "Memory limit (in bytes, or with a unit as in 512m); '-1' for none"],
  ["memory-reservation", "Memory reservation or soft_limit (in bytes)"],
  ["memory-swap", "Total memory usage (memory + swap); set '-1' to enable unlimited swap"],
  ["cpu-idle", "set cgroup SCHED_IDLE or not, 0: default behavior, 1: SCHED_IDLE"],
  ["l3-cache-schema", "The string of Intel RDT/CAT L3 cache schema"],
  ["mem-bw-schema", "The string of Intel RDT/MBA memory bandwidth schema"],
];

const obsolete: readonly Option[] = ["kernel-memory", "kernel-memory-tcp"].map((name) => ({
  name,
  kind: "text",
  hidden: true,
  usage: "(obsoleted; do not use)",
}));

export const updateCommand: Command = {
  name: "update",
  usage: "update container resource constraints",
  argumentsUsage: "<container-id>",
  description: `The update command changes the limits of a container that has not stopped, all that
are given or none. A file for --resources has the form of linux.resources in
config.json, of which what is not given stays as it is:

       { "memory": { "limit": 104857600 }, "cpu": { "quota": 50000 } }

With --resources the other options are ignored.`,
  examples: [
    {
      does: "let a container have a fifth of a processor",
      line: "ts-runc update --cpu-quota 20000 box",
    },
    {
      does: "limit its memory and its processes",
      line: "ts-runc update --memory 256m --pids-limit 100 box",
    },
    { does: "take limits from a document", line: "ts-runc update --resources - box < limits.json" },
  ],
  options: [
    {
      name: "resources",
      short: "r",
      kind: "text",
      usage:
        "path to the file containing the resources to update or '-' to read from the standard input",
      values: "files",
    },
    {
      name: "blkio-weight",
      kind: "integer",
      fallback: 0,
      usage: "Specifies per cgroup weight, range is from 10 to 1000",
    },
    ...amounts.map(([name, usage]): Option => ({ name, kind: "text", usage })),
    {
      name: "pids-limit",
      kind: "integer",
      fallback: 0,
      usage: "Maximum number of pids allowed in the container",
    },
    ...obsolete,
  ],
  positionals: one,
  candidates: [liveContainer],
  load: async () => (await import("../update.ts")).update,
};
