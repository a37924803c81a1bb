// The config that tests begin with and how they change it: what every runtime can run, and no more.

import type { JsonObject } from "./json.ts";

export type Config = JsonObject & {
  readonly process?: JsonObject | undefined;
  readonly linux?: JsonObject | undefined;
};

export type Mount = {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
} & JsonObject;

export const proc: Mount = { destination: "/proc", type: "proc", source: "proc" };
export const devPts: Mount = {
  destination: "/dev/pts",
  type: "devpts",
  source: "devpts",
  options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
};

/** A /dev of the container's own. */
export const ownDev: Mount = {
  destination: "/dev",
  type: "tmpfs",
  source: "tmpfs",
  options: ["mode=755"],
};

/** Namespaces without a path. */
export function namespaces(...types: readonly string[]): readonly { readonly type: string }[] {
  return types.map((type) => ({ type }));
}

export const usualNamespaces = ["pid", "mount", "ipc", "uts", "cgroup"];

/** A user namespace whose root is the host's 1000: it makes nothing in the files of the root, and so has its own /dev. */
export const inUserNamespace: Config = {
  mounts: [proc, ownDev],
  linux: {
    namespaces: namespaces(...usualNamespaces, "user"),
    uidMappings: [{ containerID: 0, hostID: 1000, size: 1000 }],
    gidMappings: [{ containerID: 0, hostID: 2000, size: 1000 }],
  },
};

const base: Config = {
  // The version that the oldest of the runtimes knows.
  ociVersion: "1.0.2",
  root: { path: "rootfs" },
  mounts: [proc],
};

const baseProcess: JsonObject = {
  cwd: "/",
  env: ["PATH=/bin"],
  args: ["true"],
  user: { uid: 0, gid: 0 },
};

/** The config with these changes; `process` and `linux` are changed property by property. A property that is undefined is left out. */
export function configWith(change: Config = {}): Config {
  return {
    ...base,
    ...change,
    ...("process" in change && change.process === undefined
      ? {}
      : { process: { ...baseProcess, ...change.process } }),
    linux: { namespaces: namespaces(...usualNamespaces), ...change.linux },
  };
}
