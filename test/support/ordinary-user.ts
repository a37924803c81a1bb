// An ordinary user of a room: its directories, its bundles, and programs that run as it; not what is tested with it.

import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import { cacheName } from "../../src/host/seccomp/cache.ts";
import { defaultSpec } from "../../src/spec/default-spec.ts";
import type { Spec } from "../../src/spec/types.ts";
import { executable, type Outcome, runc } from "../cli/executable.ts";
import { type Room, runBriefly } from "./room.ts";

export const uid = 23_456;
export const gid = 23_457;
export const cgroupV2 = readCgroupHost().version === "v2";
export const crun = "/usr/bin/crun";
export const programs = { "ts-runc": executable, runc: runc ?? "runc", crun } as const;
export type Program = keyof typeof programs;
export type Change = (spec: Spec) => Spec;

export type Surroundings = {
  readonly environment?: Readonly<Record<string, string>>;
  /** What root does before, in a mount namespace of its own. */
  readonly before?: string;
};

export type OrdinaryUser = {
  /** $XDG_RUNTIME_DIR. */
  readonly runtimeDirectory: string;
  readonly home: string;
  /** What its programs run with. */
  readonly environment: Readonly<Record<string, string>>;
  /** The arguments that run a program as the user. */
  readonly commandOf: (argv: readonly string[]) => string[];
  /** Runs a program as the user, in surroundings of its own. */
  readonly asUser: (argv: readonly string[], surroundings?: Surroundings) => Outcome;
  readonly runtime: (
    program: Program,
    argv: readonly string[],
    surroundings?: Surroundings,
  ) => Outcome;
  /** The bundle of `spec --rootless`, with these changes. */
  readonly bundle: (change?: Change) => string;
  /** The same with this program. */
  readonly running: (args: readonly string[], change?: Change) => string;
  /** Fails when a container, or a part of one, is left. */
  readonly expectNothingLeft: () => Promise<void>;
};

/** Gives a room its user. */
export function openUser(room: Room): OrdinaryUser {
  const runtimeDirectory = mkdirFor(join(room.directory, "runtime"), 0o700);
  const home = mkdirFor(join(room.directory, "home"), 0o700);

  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    XDG_RUNTIME_DIR: runtimeDirectory,
  };

  function commandOf(argv: readonly string[]): string[] {
    // A busybox that is the shell would take its own setpriv, which knows less.
    return ["/usr/bin/setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", ...argv];
  }

  function asUser(
    argv: readonly string[],
    { environment: more, before = ":" }: Surroundings = {},
  ): Outcome {
    const command = commandOf(argv);
    const script = ["unshare", "--mount", "sh", "-c", `${before} && exec "$@"`, "sh"];
    return runBriefly(before === ":" ? command : [...script, ...command], {
      env: { ...environment, ...more },
      cwd: room.directory,
    });
  }

  function bundle(change: Change = (spec) => spec): string {
    const { directory, rootfs } = room.makeBundle();
    const spec = defaultSpec({ rootless: { uid, gid }, cgroupV2 });
    const { process } = spec;
    if (process === undefined) throw new Error("a process was to be there");
    const quiet = {
      ...spec,
      ociVersion: "1.0.2",
      process: { ...process, terminal: false, args: ["id", "-u"] },
    };
    writeFileSync(join(directory, "config.json"), JSON.stringify(change(quiet)));
    chownSync(rootfs, uid, gid);
    return directory;
  }

  return {
    runtimeDirectory,
    home,
    environment,
    commandOf,
    asUser,
    runtime: (program, argv, surroundings) => asUser([programs[program], ...argv], surroundings),
    bundle,
    running: (args, change = (spec) => spec) =>
      bundle((spec) =>
        change({ ...spec, process: { cwd: "/", ...spec.process, args: [...args] } }),
      ),
    expectNothingLeft: async () => {
      assert.equal(await room.leftovers(), []);
      for (const name of ["ts-runc", "runc"]) {
        const root = join(runtimeDirectory, name);
        const left = existsSync(root) ? readdirSync(root).filter((each) => each !== cacheName) : [];
        assert.equal(left, [], `${name} has left something`);
      }
    },
  };
}

/** Makes a directory that is the user's. */
export function mkdirFor(path: string, mode: number): string {
  mkdirSync(path, { recursive: true });
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return path;
}

/** The config with these properties of `linux`. */
export function withLinux(spec: Spec, linux: Spec["linux"]): Spec {
  return { ...spec, linux: { ...spec.linux, ...linux } };
}
