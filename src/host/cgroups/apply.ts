// Carries out the steps of a cgroup plan: the container's limits and its device rules.
//
//   applyResources(plan: CgroupPlan, part?: ResourcePart): void      applySteps(steps, paths): void

import { errnoName, errnos } from "../../abi/errno.ts";
import { AT_FDCWD, openFlags } from "../../abi/file.ts";
import { present, unreachable } from "../../base/assert.ts";
import { raise } from "../../base/fault.ts";
import { execute } from "../../ffi/execute.ts";
import type { CgroupPaths, CgroupPlan, CgroupStep, CgroupWrite } from "../../plan/cgroup.ts";
import { openat, writeText } from "../../syscall/files.ts";
import { type OwnedFd, own } from "../files.ts";
import { raiseWrite, readCgroupFile } from "./cgroup-file.ts";
import { attachDeviceProgram } from "./device-program.ts";

/**
 * The device rules are a part of their own: between the line that denies everything and those that allow some, a process
 * of the group can neither make nor open a device.
 */
export type ResourcePart = "devices" | "limits";

/**
 * Puts the plan's resources in force, or a part of them, in the plan's order. Run by the runtime.
 *
 * @throws `syscall` fault; `refused` for a limit below what is in use; `host` when a controller is missing
 */
export function applyResources({ paths, steps }: CgroupPlan, part?: ResourcePart): void {
  const wanted =
    part === undefined
      ? steps
      : steps.filter((step) => (part === "devices") === isDeviceStep(step));
  applySteps(wanted, paths);
}

/** Carries out steps in order. Faults as of `applyResources`. */
export function applySteps(steps: readonly CgroupStep[], paths: CgroupPaths): void {
  let pending: CgroupWrite[] = [];
  const flush = (): void => {
    applyWrites(pending, paths);
    pending = [];
  };
  for (const step of steps) {
    switch (step.kind) {
      case "write":
        pending.push(step);
        break;
      case "check-usage":
        flush();
        checkUsage(step, paths);
        break;
      case "device-program":
        flush();
        attachDeviceProgram(directoryOf(paths, step.controller), step.program);
        break;
      default:
        unreachable(step);
    }
  }
  flush();
}

function isDeviceStep(step: CgroupStep): boolean {
  return step.kind === "device-program" || (step.kind === "write" && step.property === "devices");
}

/** Carries out writes in order; a file that several writes in a row go to is opened once. */
export function applyWrites(writes: readonly CgroupWrite[], paths: CgroupPaths): void {
  const refused = new Set<string>();
  let open: { readonly path: string; readonly file: OwnedFd } | undefined;
  try {
    for (const write of writes) {
      const path = `${directoryOf(paths, write.controller)}/${write.file}`;
      if (write.again === true && !refused.has(path)) continue;
      if (open?.path !== path) {
        open?.file[Symbol.dispose]();
        open = undefined;
        const flags = openFlags.O_WRONLY | openFlags.O_CLOEXEC;
        const fd = execute(openat(AT_FDCWD, path, { flags }));
        if (fd >= 0) open = { path, file: own(fd) };
        else if (fd === -errnos.ENOENT && write.instead !== undefined) {
          const { instead, ...rest } = write;
          applyWrites([{ ...rest, ...instead }], paths);
          continue;
        } else if (settleRefusal(write, path, fd)) refused.add(path);
        if (open === undefined) continue;
      }
      const result = execute(writeText(open.file.fd, write.value));
      if (result < 0 && settleRefusal(write, path, result)) refused.add(path);
    }
  } finally {
    open?.file[Symbol.dispose]();
  }
}

/** Planning has refused what has no directory. */
function directoryOf(paths: CgroupPaths, controller: string): string {
  return present(paths[controller], `cgroup path of ${JSON.stringify(controller)}`);
}

/**
 * Returns true when the refusal is tolerated.
 *
 * @throws `syscall` fault, or one that says what the kernel's number means here
 */
function settleRefusal(write: CgroupWrite, path: string, result: number): boolean {
  const errno = errnoName(-result);
  const reasons: Readonly<Record<string, string | undefined>> = write.tolerated ?? {};
  if (reasons[errno] !== undefined) return true;
  explainBusyMemory(write, path, result);
  explainMissingController(write, path, result);
  const doing = `setting linux.resources.${write.property} to ${JSON.stringify(write.value)}`;
  return raiseWrite(path, doing, result);
}

/** EBUSY: the group uses more memory than the new limit, and it could not be reclaimed. */
function explainBusyMemory(write: CgroupWrite, path: string, result: number): void {
  if (result !== -errnos.EBUSY || write.file !== "memory.limit_in_bytes") return;
  const directory = path.slice(0, path.lastIndexOf("/"));
  const usage = readCgroupFile(`${directory}/memory.usage_in_bytes`);
  const peak = readCgroupFile(`${directory}/memory.max_usage_in_bytes`);
  raise({
    kind: "refused",
    message: `unable to set memory limit to ${write.value} (current usage: ${usage}, peak usage: ${peak})`,
  });
}

/**
 * Spec: config-linux.md#unified MUST generate an error when the configuration refers to a controller that is not
 * present or that cannot be enabled.
 */
function explainMissingController(write: CgroupWrite, path: string, result: number): void {
  const absent = [errnos.ENOENT, errnos.EPERM, errnos.EACCES].some((errno) => result === -errno);
  if (!absent || write.controller !== "") return;
  const controller = write.file.slice(0, Math.max(0, write.file.indexOf(".")));
  if (controller === "") {
    const message = `unified resource ${JSON.stringify(write.file)} must be in the form CONTROLLER.PARAMETER`;
    raise({ kind: "refused", message });
  }
  const directory = path.slice(0, path.lastIndexOf("/"));
  const available = (readCgroupFile(`${directory}/cgroup.controllers`) ?? "").split(" ");
  if (controller === "cgroup" || available.includes(controller)) return;
  raise({
    kind: "host",
    message: `linux.resources.${write.property} can't be set: controller ${JSON.stringify(controller)} not available`,
  });
}

/** Best effort: usage that cannot be read refuses nothing. */
function checkUsage(step: CgroupStep & { kind: "check-usage" }, paths: CgroupPaths): void {
  const usage = readCgroupFile(`${directoryOf(paths, step.controller)}/memory.current`);
  if (usage === undefined) return;
  const refuse = (what: string, limit: bigint): void => {
    if (limit === 0n || limit > BigInt(usage)) return;
    raise({ kind: "refused", message: `rejecting ${what} limit ${limit} <= usage ${usage}` });
  };
  refuse("memory+swap", step.limitWithSwap);
  refuse("memory", step.limit);
}
