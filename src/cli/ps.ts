// ts-runc ps: the processes of a container, as a list of pids or as the host's ps(1) describes them.

import { raise } from "../base/fault.ts";
import { readRecord } from "../container/record.ts";
import { containerPaths } from "../container/store.ts";
import { listProcesses } from "../host/cgroups/processes.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { Invocation } from "./invocation.ts";
import { textAsGiven } from "./options.ts";
import { print } from "./output.ts";
import { warnOfRights } from "./rights.ts";

const defaultArguments: readonly string[] = ["-ef"];
/** More than the lines of as many processes as a kernel can have. */
const outputMaxBytes = 1024 * 1024 * 1024;

export function ps({ globals, values, positionals, log }: Invocation): number {
  warnOfRights("ps", { globals, log });
  const [id = "", ...given] = positionals;
  const place = { root: globals.root, id: parseContainerId(id) };
  const { cgroup_paths: groups } = readRecord(containerPaths(place));
  if (Object.keys(groups).length === 0) {
    const message = "unable to get all container pids: the container has no cgroup of its own";
    raise({ kind: "refused", message });
  }
  const pids = listProcesses(groups);
  switch (textAsGiven(values, "format") ?? "table") {
    case "table":
      print(selectLines(runPs(given.length === 0 ? defaultArguments : given), pids));
      return 0;
    case "json":
      // An empty list is null in Go.
      print(`${JSON.stringify(pids.length === 0 ? null : pids)}\n`);
      return 0;
    default:
      return raise({ kind: "refused", message: "invalid format option" });
  }
}

/** Runs the caller's ps(1) with the caller's environment, and returns what it prints. */
function runPs(given: readonly string[]): string {
  const program = Bun.which("ps");
  if (program === null) {
    return raise({ kind: "program", program: "ps", reason: "executable file not found in $PATH" });
  }
  const child = Bun.spawnSync([program, ...given], { maxBuffer: outputMaxBytes, stdin: "ignore" });
  if (child.success) return child.stdout.toString();
  const how =
    child.signalCode === undefined
      ? `exit status ${child.exitCode}`
      : `ended by ${child.signalCode}`;
  return raise({ kind: "refused", message: `${how}: ${child.stdout}${child.stderr}` });
}

/**
 * Selects the heading and the lines of the given processes out of the output of ps(1). Pure.
 *
 * @throws `refused` fault when a column named PID is missing, or holds something else
 */
export function selectLines(output: string, pids: readonly number[]): string {
  const [heading = "", ...lines] = output.split("\n");
  const column = words(heading).indexOf("PID");
  if (column < 0) raise({ kind: "refused", message: "couldn't find PID field in ps output" });
  const wanted = new Set(pids);
  const selected = lines.filter((line) => {
    if (line === "") return false;
    const field = words(line)[column] ?? "";
    if (/^\d+$/.test(field)) return wanted.has(Number(field));
    // The heading of a column on its left may be two words, or a field there be empty.
    return raise({
      kind: "refused",
      message: `unable to parse pid: ${JSON.stringify(field)} is not a number`,
    });
  });
  return [heading, ...selected].map((line) => `${line}\n`).join("");
}

function words(line: string): readonly string[] {
  return line.trim().split(/\s+/);
}
