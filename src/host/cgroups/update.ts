// Changes the resources of a group that is in use; when the kernel refuses a part of it, everything is as it was before.

import type { CgroupPaths, CgroupStep } from "../../plan/cgroup.ts";
import { tryWrite } from "../files.ts";
import { applySteps } from "./apply.ts";
import { readCgroupFile } from "./cgroup-file.ts";

/**
 * Carries out the steps of an update. Run by the runtime.
 *
 * @returns nothing; what could not be restored after a failure is told to `warn`
 * @throws as `applyResources`, when the former values have been written back
 */
export function updateResources(
  steps: readonly CgroupStep[],
  paths: CgroupPaths,
  warn: (message: string) => void,
): void {
  const before = readValues(steps, paths);
  try {
    applySteps(steps, paths);
  } catch (error) {
    for (const path of restore(before)) {
      warn(`setting ${path} back to ${JSON.stringify(before.get(path))} failed`);
    }
    throw error;
  }
}

/** Path to content, of the files that the steps will write. */
function readValues(steps: readonly CgroupStep[], paths: CgroupPaths): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const step of steps) {
    if (step.kind !== "write") continue;
    const path = `${paths[step.controller]}/${step.file}`;
    const value = readCgroupFile(path);
    if (value !== undefined) values.set(path, value);
  }
  return values;
}

/** Limits can depend on each other: what is refused is tried once more when the others are back. */
function restore(before: ReadonlyMap<string, string>): readonly string[] {
  const refused = [...before].reverse().filter(([path, value]) => !write(path, value));
  return refused.filter(([path, value]) => !write(path, value)).map(([path]) => path);
}

/** Whether the file says so now. An empty text can be written only with the line's end: write(2) of nothing does nothing. */
function write(path: string, value: string): boolean {
  return readCgroupFile(path) === value || tryWrite(path, `${value}\n`) >= 0;
}
