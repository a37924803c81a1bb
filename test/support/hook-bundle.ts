// Bundles with hooks, for the tests of hooks; not what is tested with them.

import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { HookPoint } from "../../src/spec/types.ts";
import type { Bundle, Room } from "./room.ts";

/** In the order of a container's life. */
export const points: readonly HookPoint[] = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
];
/** The namespaces of a bundle that asks for no others. */
export const types = ["pid", "mount", "uts", "ipc", "network"];
/** For the environment of a hook, which is empty otherwise. */
export const path = "PATH=/usr/bin:/bin";

/** A shell's hook; `script` is what it does. */
export function hook(script: string, more: object = {}): object {
  return { path: "/bin/sh", args: ["sh", "-c", script], env: [path], ...more };
}

export type HookChange = {
  readonly hooks: object;
  readonly namespaces?: readonly object[];
  readonly linux?: object;
  readonly process?: object;
  readonly annotations?: object;
};

/** A bundle with these hooks, and with a directory in its root that everybody may write to. */
export function makeHookBundle(room: Room, asked: HookChange): Bundle {
  const { hooks, linux, process, ...change } = asked;
  const namespaces = change.namespaces ?? types.map((type) => ({ type }));
  const { annotations = { "org.example": "value" } } = change;
  const args = ["sh", "-c", "echo program; exit 5"];
  const bundle = room.makeBundle({
    annotations,
    hooks,
    process: { args, ...process },
    linux: { namespaces, ...linux },
  });
  mkdirSync(join(bundle.rootfs, "log"));
  chmodSync(join(bundle.rootfs, "log"), 0o777);
  return bundle;
}
