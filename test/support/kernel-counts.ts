// How much of what containers take from a kernel is in use now: for tests that nothing of it is left; it judges nothing.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { bpfQueryAttribute } from "../../src/abi/bpf.ts";
import { execute } from "../../src/ffi/execute.ts";
import { pinBuffer } from "../../src/ffi/pinned-buffer.ts";
import { call, number } from "../../src/syscall/value.ts";
import { runBriefly } from "./room.ts";

/** Counts by what they are of. */
export type KernelCounts = Readonly<Record<string, number>>;

/** Counts what the whole kernel has; others on the same host are counted, too. */
export function countKernel(): KernelCounts {
  const unified = "/sys/fs/cgroup/cgroup.stat";
  return {
    "open files": Number(readFileSync("/proc/sys/fs/file-nr", "utf8").split("\t")[0]),
    "our descriptors": readdirSync("/proc/self/fd").length,
    mounts: readFileSync("/proc/self/mountinfo", "utf8").split("\n").length,
    "programs of bpf": countPrograms(),
    ...(existsSync(unified) ? countUnified(readFileSync(unified, "utf8")) : countHierarchies()),
    ...(existsSync("/run/systemd/system") ? { units: countUnits() } : {}),
  };
}

/** A group that has been removed lives on, unseen, for as long as something points to it. */
function countUnified(stat: string): KernelCounts {
  const field = (name: string): number =>
    Number(new RegExp(`^${name} (\\d+)$`, "m").exec(stat)?.[1]);
  return { groups: field("nr_descendants"), "removed groups": field("nr_dying_descendants") };
}

/**
 * Groups of each v1 hierarchy, removed ones that live on included. Of memory's they do for as long as a page of a file is in the
 * cache that was read on their account: that says nothing.
 */
function countHierarchies(): KernelCounts {
  const rows = readFileSync("/proc/cgroups", "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"));
  return Object.fromEntries(
    rows.flatMap(([name = "", hierarchy = "0", groups]) =>
      hierarchy === "0" || name === "memory" ? [] : [[`groups of ${name}`, Number(groups)]],
    ),
  );
}

const BPF_PROG_GET_NEXT_ID = 11;

function countPrograms(): number {
  const attribute = pinBuffer(bpfQueryAttribute.sizeBytes);
  const view = new DataView(attribute.bytes.buffer, attribute.bytes.byteOffset);
  const next = call("bpf", number(BPF_PROG_GET_NEXT_ID), number(attribute.address), number(12));
  let count = 0;
  // `start_id`, then what the kernel answers: `next_id`.
  while (execute(next) === 0) {
    count += 1;
    view.setUint32(0, view.getUint32(4, true), true);
  }
  return count;
}

function countUnits(): number {
  return runBriefly(["systemctl", "list-units", "--all", "--no-legend", "--plain"])
    .stdout.split("\n")
    .filter((line) => /\.(scope|slice)\b/.test(line)).length;
}
