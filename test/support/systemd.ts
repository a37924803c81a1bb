// What the files on the systemd cgroup driver share: units as systemctl shows them, groups, and calls with the driver's option.

import { readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { openRoom, type Room, type RuntimeName, runBriefly } from "./room.ts";

const kind = process.env["TS_RUNC_MACHINE"] ?? "";
/** Whether this is a machine of test/vm with systemd. */
export const hasSystemd = kind.startsWith("systemd");
/** Which cgroups its systemd uses. */
export const cgroupVersion = kind === "systemd" ? "v2" : "v1";

/** A group of v1 in which the driver writes the limits, and the one of v2. */
export const groupOf = (controller: string, inner: string): string =>
  cgroupVersion === "v2" ? `/sys/fs/cgroup${inner}` : `/sys/fs/cgroup/${controller}${inner}`;

/** The properties of a unit; the lines of a list are one text. */
export function show(unit: string): ReadonlyMap<string, string> {
  const shown = new Map<string, string>();
  for (const line of runBriefly(["systemctl", "show", unit]).stdout.trim().split("\n")) {
    const at = line.indexOf("=");
    const key = line.slice(0, at);
    const former = shown.get(key);
    const value = line.slice(at + 1);
    shown.set(key, former === undefined ? value : `${former}; ${value}`);
  }
  return shown;
}

/** Units of the room's containers that systemd still knows, failed ones among them. */
export function unitsLeft(): string {
  return runBriefly(["systemctl", "list-units", "--all", "--no-legend", "*ts-runc-test*"]).stdout;
}

/** Runs a command that has to succeed, with the option that asks for systemd. */
function runDriven(room: Room, of: RuntimeName, ...argv: readonly string[]): string {
  const { status, stdout, stderr } = room.runtime(of, ["--systemd-cgroup", ...argv]);
  assert.is(status, 0, `${of} ${argv.join(" ")}: ${stderr}`);
  return stdout;
}

/** A room for tests of the driver: closed at once, with the reason, where there is no systemd. */
export function openDrivenRoom(name: string): {
  readonly room: Room;
  readonly run: (of: RuntimeName, ...argv: readonly string[]) => string;
  readonly makeBundle: (change: Parameters<typeof makeSleeper>[1]) => string;
} {
  const room = openRoom(name);
  if (!hasSystemd) {
    console.log("skip: no systemd here");
    room.remove();
  }
  return {
    room,
    run: (of, ...argv) => runDriven(room, of, ...argv),
    makeBundle: (change) => makeSleeper(room, change),
  };
}

/** A bundle whose program sleeps. */
function makeSleeper(
  room: Room,
  change: {
    readonly resources?: LinuxResources;
    readonly cgroupsPath?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  },
): string {
  const { resources, cgroupsPath, annotations } = change;
  return room.makeBundle({
    process: { args: ["sleep", "600"] },
    ...(annotations === undefined ? {} : { annotations }),
    linux: {
      ...(resources === undefined ? {} : { resources }),
      ...(cgroupsPath === undefined ? {} : { cgroupsPath }),
    },
  }).directory;
}

/** A file as it is, or the name of what keeps it from being read. */
export function readOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return `${error instanceof Error && "code" in error ? error.code : error}`;
  }
}
