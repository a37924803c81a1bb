// The entry of `update` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import type { Option } from "../options.ts";
import { liveContainer, one } from "./arguments.ts";

const amounts = (): readonly (readonly [name: string, usage: string])[] => [
  ["cpu-period", "period of the CPU quota in microseconds, 0 for the kernel's default"],
  ["cpu-quota", "CPU time in a period in microseconds, -1 for no limit"],
  ["cpu-burst", "CPU time in microseconds that may be saved up for later periods"],
  ["cpu-share", "share of the CPU beside other containers"],
  ["cpu-rt-period", "period of the realtime quota in microseconds"],
  ["cpu-rt-runtime", "realtime CPU time in a period in microseconds"],
  ["cpuset-cpus", "CPUs to run on, as in 0-2,7"],
  ["cpuset-mems", "memory nodes to use, as in 0-1"],
  ["memory", "memory limit in bytes, or with a unit as in 512m; -1 for none"],
  ["memory-reservation", "memory that is left to the container when memory is short"],
  ["memory-swap", "limit of memory and swap together; -1 for none"],
  ["cpu-idle", "1 to run only where nothing else wants to, 0 as usual"],
  ["l3-cache-schema", "schema of Intel RDT's cache allocation"],
  ["mem-bw-schema", "schema of Intel RDT's memory bandwidth allocation"],
];

const obsolete = (): readonly Option[] =>
  ["kernel-memory", "kernel-memory-tcp"].map((name) => ({
    name,
    kind: "text",
    hidden: true,
    usage: "(obsoleted; do not use)",
  }));

export const updateCommand = (): Command => ({
  name: "update",
  usage: "change the resource limits of a container",
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
      usage: "file with the new resources in JSON, '-' for standard input",
      values: "files",
    },
    {
      name: "blkio-weight",
      kind: "integer",
      fallback: 0,
      usage: "weight of the block I/O, from 10 to 1000",
    },
    ...amounts().map(([name, usage]): Option => ({ name, kind: "text", usage })),
    {
      name: "pids-limit",
      kind: "integer",
      fallback: 0,
      usage: "greatest number of processes and threads, -1 for no limit",
    },
    ...obsolete(),
  ],
  positionals: one,
  candidates: [liveContainer],
  load: async () => (await import("../update.ts")).update,
});
