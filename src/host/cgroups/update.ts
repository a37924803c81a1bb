// Changes the resources of a group that is in use; when the kernel refuses a part of it, everything is as it was before.

import type { CgroupPaths, CgroupStep, CgroupWrite } from "../../plan/cgroup.ts";
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
  const former = readFormer(steps, paths);
  try {
    applySteps(steps, paths);
  } catch (error) {
    for (const path of restore(former)) warn(`setting ${path} back to what it was failed`);
    throw error;
  }
}

/** A file and what has to be written to have it as it was: one write(2) a line. */
type Former = { readonly path: string; readonly lines: readonly string[] };

function readFormer(steps: readonly CgroupStep[], paths: CgroupPaths): readonly Former[] {
  return steps
    .map((step) => {
      if (step.kind !== "write") return [];
      const files = [step.file, ...(step.instead === undefined ? [] : [step.instead.file])];
      for (const file of files) {
        const path = `${paths[step.controller]}/${file}`;
        const content = readCgroupFile(path);
        if (content !== undefined)
          return [{ path, lines: formerLines(content, { ...step, file }) }];
      }
      return [];
    })
    .flat();
}

/** The lines of a file; with one that takes back what is not in it yet, where a line is about one device. */
function formerLines(content: string, { file, value }: CgroupWrite): readonly string[] {
  const lines = content.split("\n");
  const [device = ""] = value.split(" ");
  const isAboutDevice = /^\d+:\d+$/.test(device);
  if (!isAboutDevice) return lines;
  const former = lines.find((line) => line.startsWith(`${device} `));
  return [former ?? `${device} ${unlimited(file)}`];
}

function unlimited(file: string): string {
  if (file === "io.max") return "rbps=max wbps=max riops=max wiops=max";
  return file.startsWith("io.") ? "default" : "0";
}

/** Limits can depend on each other: what is refused is tried once more when the others are back. */
function restore(former: readonly Former[]): readonly string[] {
  const refused = [...former].reverse().filter((one) => !writeFormer(one));
  return refused.filter((one) => !writeFormer(one)).map(({ path }) => path);
}

/** Whether the file is as it was. An empty text can be written only with the line's end: write(2) of nothing does nothing. */
function writeFormer({ path, lines }: Former): boolean {
  return (
    readCgroupFile(path) === lines.join("\n") ||
    lines.every((line) => tryWrite(path, `${line}\n`) >= 0)
  );
}
