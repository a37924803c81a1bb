// update: changes the resources of a container that lives.

import { raise } from "../base/fault.ts";
import { updateResources } from "../host/cgroups/update.ts";
import { readText, replaceFile } from "../host/files.ts";
import type { NewSchemata } from "../host/resctrl.ts";
import { planUpdate } from "../plan/update.ts";
import { recallConfig } from "../spec/load.ts";
import type { ValidatedResources } from "../spec/validate.ts";
import { observeLocked } from "./observe.ts";
import { readRecord } from "./record.ts";
import { requireStatus } from "./status.ts";
import { type ContainerPlace, containerPaths, lockDirectory } from "./store.ts";

/**
 * Updates the container: all that is given, or nothing. The kept config follows, so that the next update knows.
 *
 * @param warn told what the host cannot do and the update goes without
 * @throws `id`, `status`, `refused`, `host`, `syscall` faults; the resources are as before then
 */
export async function updateContainer(
  place: ContainerPlace,
  asked: { readonly resources: ValidatedResources; readonly schemata: NewSchemata | undefined },
  warn: (message: string) => void,
): Promise<void> {
  const paths = containerPaths(place);
  using directory = lockDirectory(place, "forever");
  if (directory === undefined) raise({ kind: "id", message: "container does not exist" });
  const record = readRecord(paths);
  requireStatus("update", place.id, observeLocked(paths, record));
  const config = recallConfig(readText(paths.config, "reading the container's config"));
  const current = config.linux?.resources ?? {};
  const plan = planUpdate(current, asked.resources, record.cgroup_paths);
  for (const { property, because } of plan.ignored) {
    warn(`ignoring linux.resources.${property}: ${because}`);
  }
  const takeBack =
    asked.schemata === undefined
      ? undefined
      : (await import("./update-schemata.ts")).updateSchemata(paths, record, asked.schemata);
  const { systemdUnit } = record.tsRunc;
  const change = { from: current, to: plan.resources };
  let returnUnit: (() => Promise<void>) | undefined;
  try {
    if (systemdUnit !== undefined) {
      returnUnit = await (await import("./unit.ts")).updateUnit(systemdUnit, record, change);
    }
    updateResources(plan.steps, record.cgroup_paths, warn);
  } catch (error) {
    takeBack?.();
    await returnUnit?.();
    throw error;
  }
  const kept = { ...config, linux: { ...config.linux, resources: plan.resources } };
  replaceFile(paths.config, JSON.stringify(kept), {
    mode: 0o600,
    doing: "keeping the container's new resources",
    temporary: `${paths.config}.new`,
  });
}
