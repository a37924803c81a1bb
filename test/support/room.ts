// A room for the containers of one test file: a directory with bundles and state roots, ids that nobody else uses, and the
// proof at the end that nothing is left; not what is tested in it. Needs root.

import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import { cacheName } from "../../src/host/seccomp/cache.ts";
import { executable, type Outcome, type RunOptions, runc } from "../cli/executable.ts";
import { makeConfig } from "../spec/config-builder.ts";

export type RuntimeName = "ts-runc" | "runc";

export type Bundle = {
  readonly directory: string;
  readonly rootfs: string;
};

export type ShownState = { readonly status: string; readonly pid: number };

export type Room = {
  readonly directory: string;
  /** An id that no other container has. */
  readonly newId: () => string;
  /** Makes a bundle: busybox as rootfs, and a config with little more than /proc, with these changes. */
  readonly makeBundle: (change?: Parameters<typeof makeConfig>[0]) => Bundle;
  /** Runs ts-runc with the room's state root. */
  readonly tsRunc: (argv: readonly string[], options?: RunOptions) => Outcome;
  /** Runs a runtime with a state root of its own in the room. */
  readonly runtime: (name: RuntimeName, argv: readonly string[], options?: RunOptions) => Outcome;
  /** What `state` says of a container of ts-runc; undefined when it does not exist. */
  readonly state: (id: string) => ShownState | undefined;
  /** The arguments that run ts-runc in this room, for starting it without waiting. */
  readonly command: (...argv: readonly string[]) => string[];
  /** The same for either runtime. */
  readonly commandOf: (of: RuntimeName, ...argv: readonly string[]) => string[];
  /** Waits for leftovers to go, and returns those that stay: processes, cgroups, mounts, states. */
  readonly leftovers: () => Promise<readonly string[]>;
  /** The same for processes alone. */
  readonly leftoverProcesses: () => Promise<readonly number[]>;
  readonly remove: () => void;
};

/** On the emulated processor of test/vm everything takes about twenty times as long. */
export const slowness = process.env["TS_RUNC_MACHINE"] === undefined ? 1 : 20;

const commandTimeoutMs = slowness === 1 ? 30_000 : 120_000;
const applets =
  "cat chmod cp cut dd echo env grep head hostname id kill ln ls mkdir mknod mount mv nc ps readlink rm sed sh sleep sort stat tail test timeout touch tr true false ulimit umount usleep wc";

/** Opens a room. `name` is part of the ids. */
export function openRoom(name: string): Room {
  const directory = mkdtempSync(join(tmpdir(), `room-${name}-`));
  // A container's root in a user namespace has to get through to its rootfs; test/run.ts has made TMPDIR for us alone.
  for (const passed of [tmpdir(), directory]) chmodSync(passed, statSync(passed).mode | 0o011);
  const prefix = `ts-runc-test-${name}-${process.pid}-`;
  const states = { "ts-runc": join(directory, "state"), runc: join(directory, "runc-state") };
  const template = join(directory, "busybox");
  writeFileSync(template, readFileSync("/bin/busybox"), { mode: 0o755 });
  let count = 0;
  const commandOf: Room["commandOf"] = (of, ...argv) => {
    const program = of === "runc" ? (runc ?? "runc") : executable;
    return [program, "--root", states[of], ...argv];
  };
  const runtime: Room["runtime"] = (of, argv, options) =>
    runBriefly(commandOf(of, ...argv), { cwd: directory, ...options });
  return {
    directory,
    newId: () => {
      count += 1;
      return `${prefix}${count}`;
    },
    makeBundle: (change) => {
      count += 1;
      const bundle = join(directory, `bundle${count}`);
      const rootfs = join(bundle, "rootfs");
      makeRootfs(rootfs, template);
      const env = ["PATH=/bin"];
      const mounts = [{ destination: "/proc", type: "proc", source: "proc" }];
      // The version that the oldest of the runtimes compared with knows.
      const base = { ociVersion: "1.0.2", mounts };
      const config = makeConfig({ ...base, ...change, process: { env, ...change?.process } });
      writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
      return { directory: bundle, rootfs };
    },
    tsRunc: (argv, options) => runtime("ts-runc", argv, options),
    runtime,
    state: (id) => {
      const { status, stdout } = runtime("ts-runc", ["state", id]);
      return status === 0 ? JSON.parse(stdout) : undefined;
    },
    command: (...argv) => commandOf("ts-runc", ...argv),
    commandOf,
    leftovers: () => untilGone(() => findLeftovers({ directory, prefix, states })),
    leftoverProcesses: () => untilGone(() => processesOf({ directory, prefix })),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function makeRootfs(rootfs: string, busybox: string): void {
  for (const name of ["bin", "dev", "etc", "proc", "sys", "tmp"]) {
    mkdirSync(join(rootfs, name), { recursive: true });
  }
  linkSync(busybox, join(rootfs, "bin/busybox"));
  for (const applet of applets.split(" ")) symlinkSync("busybox", join(rootfs, "bin", applet));
}

/**
 * Runs a program to its end; one that hangs is killed and shows as status -1. Its output goes to files: a container that it
 * leaves behind would hold pipes open.
 */
export function runBriefly(argv: readonly string[], options: RunOptions = {}): Outcome {
  const directory = mkdtempSync(join(tmpdir(), "output-"));
  const [stdout, stderr] = [join(directory, "stdout"), join(directory, "stderr")];
  const files = [openSync(stdout, "w"), openSync(stderr, "w")] as const;
  try {
    const child = Bun.spawnSync([...argv], {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...(options.env ?? { PATH: process.env["PATH"] ?? "" }) },
      stdio: ["ignore", ...files],
      timeout: commandTimeoutMs,
      killSignal: "SIGKILL",
    });
    const status = child.signalCode === undefined ? child.exitCode : -1;
    return { status, stdout: readText(stdout), stderr: readText(stderr) };
  } finally {
    for (const file of files) closeSync(file);
    rmSync(directory, { recursive: true });
  }
}

type Traces = {
  readonly directory: string;
  readonly prefix: string;
  readonly states: Readonly<Record<RuntimeName, string>>;
};

function findLeftovers({ directory, prefix, states }: Traces): readonly string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return [
    // Compiled filters are nobody's: they are kept for the next one who asks.
    ...Object.values(states).flatMap((state) =>
      namesIn(state).flatMap((id) => (id === cacheName ? [] : [join(state, id)])),
    ),
    ...ownCgroups().flatMap((path) =>
      namesIn(path).flatMap((name) => (name.startsWith(prefix) ? [join(path, name)] : [])),
    ),
    ...mounts.filter((line) => line.includes(directory)),
    ...processesOf({ directory, prefix }).map((pid) => `process ${pid}`),
  ];
}

/** The directories below which containers without a cgroupsPath get their groups. */
export function ownCgroups(): readonly string[] {
  const host = readCgroupHost();
  return host.version === "v1"
    ? host.hierarchies.map(({ ownPath }) => ownPath)
    : [host.hierarchy.ownPath, join(host.hierarchy.ownPath, "..")];
}

/** Processes that are in a container of the room, or on the way there: by cgroup, directory or mounts. */
function processesOf({ directory, prefix }: Omit<Traces, "states">): readonly number[] {
  const ours = linkOf("/proc/self/ns/mnt");
  return namesIn("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      const at = `/proc/${name}`;
      if (readText(`${at}/cgroup`).includes(prefix)) return !isZombie(at);
      if (linkOf(`${at}/cwd`).startsWith(directory)) return true;
      return linkOf(`${at}/ns/mnt`) !== ours && readText(`${at}/mountinfo`).includes(directory);
    })
    .map(Number);
}

/** A zombie is no process any more; the host's process 1 takes a second or two to reap it. */
function isZombie(at: string): boolean {
  return /\) [ZX] /.test(readText(`${at}/stat`));
}

function namesIn(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process has ended since it was listed.
    return "";
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // The process has ended since it was listed.
    return "";
  }
}

async function untilGone<T>(find: () => readonly T[]): Promise<readonly T[]> {
  for (let tries = 0; tries < 60; tries += 1) {
    if (find().length === 0) return [];
    await Bun.sleep(50);
  }
  return find();
}

/** A field of /proc/PID/status. */
export function statusField(pid: number, name: string): string {
  const status = readText(`/proc/${pid}/status`);
  return new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1] ?? `no ${name}`;
}

/** Waits until the condition holds; a test that goes on regardless says by itself what is wrong. */
export async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 * slowness && !condition(); tries += 1) await Bun.sleep(10);
}
