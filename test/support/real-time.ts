// A share of cgroup v1's real-time bandwidth, held for a test file: all groups have to make do with the host's one budget, and what
// others hold of it at the moment would decide what a test sees.

import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";

export type RealtimeShare = {
  /** A group, relative to the own ones: what is made below it has the share to live on. */
  readonly parent: string;
  /** Removes the group from every hierarchy; those below it are gone by then. */
  readonly remove: () => void;
};

/** In one second of each processor's. A group that is removed holds its part for a while, and a test makes several, one by one. */
const share = { runtimeUs: 200_000, periodUs: 1_000_000 };

/**
 * Takes a share.
 *
 * @returns undefined where the kernel asks for none; in words why there is none to be had
 */
export function takeRealtimeShare(name: string): RealtimeShare | string | undefined {
  const host = readCgroupHost();
  if (host.version !== "v1") return undefined;
  const own = host.hierarchies.find(({ controllers }) => controllers.includes("cpu"))?.ownPath;
  if (own === undefined || !existsSync(`${own}/cpu.rt_runtime_us`)) return undefined;
  const parent = `ts-runc-test-${name}-${process.pid}-real-time`;
  const remove = (): void => {
    for (const { ownPath } of host.hierarchies) {
      if (existsSync(`${ownPath}/${parent}`)) rmdirSync(`${ownPath}/${parent}`);
    }
  };
  mkdirSync(`${own}/${parent}`);
  try {
    writeFileSync(`${own}/${parent}/cpu.rt_period_us`, `${share.periodUs}`);
    writeFileSync(`${own}/${parent}/cpu.rt_runtime_us`, `${share.runtimeUs}`);
  } catch (error) {
    remove();
    return `other groups hold the real-time bandwidth: ${String(error)}`;
  }
  return { parent, remove };
}
