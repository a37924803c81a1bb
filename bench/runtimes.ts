// The runtimes that are compared, each with a state root of its own on the same file system; and what they left behind.

import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
} from "node:fs";
import { join } from "node:path";
import { buildOnce } from "../scripts/build.ts";
import type { Bundles } from "./bundles.ts";
import { telling } from "./bundles.ts";
import type { Launcher, Timed } from "./launcher.ts";

export type RuntimeName = "ts-runc" | "runc" | "crun";

export type Runtime = {
  readonly name: RuntimeName;
  readonly executable: string;
  readonly stateRoot: string;
  /** The first line of --version. */
  readonly version: string;
  /** The whole command for these arguments. */
  readonly command: (...argv: readonly string[]) => readonly string[];
};

/** Finds the runtimes; a peer that is not installed is left out. */
export function findRuntimes(directory: string): readonly Runtime[] {
  const ours = keepExecutable(join(directory, "ts-runc"));
  const peers = (["runc", "crun"] as const).flatMap((name) => {
    const folders = ["/usr/sbin", "/usr/bin"];
    const path = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
    return path === undefined ? [] : [{ name, path }];
  });
  return [{ name: "ts-runc", path: ours } as const, ...peers].map(({ name, path }) => {
    const stateRoot = join(directory, `state-${name}`);
    mkdirSync(stateRoot, { mode: 0o700 });
    const version = Bun.spawnSync([path, "--version"]).stdout.toString();
    const line = name === "ts-runc" ? /^ts-runc: .*$/m.exec(version)?.[0] : version.split("\n")[0];
    return {
      name,
      executable: path,
      stateRoot,
      version: line ?? "",
      command: (...argv) => [path, "--root", stateRoot, ...argv],
    };
  });
}

/** A link of our own: whoever builds meanwhile replaces dist/ts-runc, not what is measured. */
function keepExecutable(path: string): string {
  const built = buildOnce();
  try {
    linkSync(built, path);
  } catch {
    // Another file system.
    copyFileSync(built, path);
  }
  return path;
}

/** Runs a command that has to succeed in silence; `state` and the like may speak. */
export function must(launcher: Launcher, argv: readonly string[], speaks = false): Timed {
  return checked(launcher.run(argv), { argv, speaks });
}

/** The same in a terminal of its own, where it says this, among what others add: runc a CR, crun 1.8 a time and colours. */
export function mustInTerminal(launcher: Launcher, argv: readonly string[], says: string): Timed {
  const timed = checked(launcher.runInTerminal(argv), { argv, speaks: true });
  if (timed.output.includes(says)) return timed;
  throw new Error(`${argv.join(" ")}: ${JSON.stringify(timed.output)} in the terminal`);
}

function checked(
  timed: Timed,
  { argv, speaks }: { readonly argv: readonly string[]; readonly speaks: boolean },
): Timed {
  if (timed.status !== 0 || (timed.output !== "" && !speaks)) {
    throw new Error(`${argv.join(" ")}: exit status ${timed.status}: ${timed.output}`);
  }
  return timed;
}

/** Says why a runtime cannot be compared here: its container has to say its word and return its status. */
export function findObstacle(
  launcher: Launcher,
  {
    runtime,
    bundles,
    id,
  }: { readonly runtime: Runtime; readonly bundles: Bundles; readonly id: string },
): string | undefined {
  const argv = runtime.command("run", "--bundle", bundles.telling, id);
  const { status, output } = launcher.run(argv);
  if (status === telling.status && output === `${telling.word}\n`) return undefined;
  return `exit status ${status}, ${JSON.stringify(output)}`;
}

/** The pid of a container's init. */
export function initPid(launcher: Launcher, runtime: Runtime, id: string): number {
  const state: unknown = JSON.parse(must(launcher, runtime.command("state", id), true).output);
  if (typeof state === "object" && state !== null && "pid" in state) return Number(state.pid);
  throw new Error(`${runtime.name} state has no pid`);
}

/** Removes whatever a failed comparison has left, and returns what could not be removed. */
export function clearAway(
  runtimes: readonly Runtime[],
  { directory, prefix }: { readonly directory: string; readonly prefix: string },
): readonly string[] {
  for (const { stateRoot, command } of runtimes) {
    for (const id of readdirSync(stateRoot)) {
      if (!id.startsWith(prefix)) continue;
      Bun.spawnSync([...command("delete", "--force", id)], { timeout: 30_000 });
    }
  }
  const find = ["find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", `*${prefix}*`];
  const groups = Bun.spawnSync(find).stdout.toString().split("\n").filter(Boolean);
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return [
    ...groups.filter((group) => !tryRemove(group)),
    ...mounts.filter((line) => line.includes(directory)),
    ...runtimes.flatMap(({ stateRoot }) =>
      readdirSync(stateRoot)
        .filter((name) => name.startsWith(prefix))
        .map((id) => join(stateRoot, id)),
    ),
  ];
}

function tryRemove(group: string): boolean {
  try {
    rmdirSync(group);
  } catch {
    // It still has processes, or has gone by itself: looked at below.
  }
  return !existsSync(group);
}
