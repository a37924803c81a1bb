// The validation programs of OCI runtime-tools: each is told of the runtime by RUNTIME and prints TAP.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readTap } from "./outputs.ts";
import { type Adapter, ownRoot, quote, type Room, wrapRuntime } from "./suite.ts";

export const runtimeTools: Adapter = {
  says: "validation programs of OCI runtime-tools (RUNTIME=)",
  timeoutSeconds: 120,
  choosesTests: false,
  lacks: (room) => {
    const { checkout } = room;
    const names = validations(room);
    if (names.length === 0)
      return [`${checkout} has no validation/NAME/NAME.go: it is no checkout of it`];
    const files = ["runtimetest", ...names.map(executableOf)];
    const missing = files.filter((file) => !existsSync(join(checkout, file)));
    const rootfs = `rootfs-${goArchitecture()}.tar.gz`;
    return [
      ...(missing.length === 0 ? [] : [notBuilt(missing)]),
      ...(existsSync(join(checkout, rootfs))
        ? []
        : [
            `${rootfs} is missing: a tar with a root file system of this architecture, with a shell`,
          ]),
    ];
  },
  programs: (room) => {
    const runtime = wrapRuntime(room, `${quote(room.runtime)} --root ${quote(ownRoot(room))} "$@"`);
    return validations(room).map((name) => ({
      name,
      argv: [join(room.checkout, executableOf(name))],
      // They look for runtimetest and the root file system where they are called.
      cwd: room.checkout,
      env: { RUNTIME: runtime },
    }));
  },
  read: ({ output }) => readTap(output),
};

function validations({ checkout }: Room): readonly string[] {
  const directory = join(checkout, "validation");
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => existsSync(join(directory, name, `${name}.go`)))
    .sort();
}

function executableOf(name: string): string {
  return `validation/${name}/${name}.t`;
}

function notBuilt(missing: readonly string[]): string {
  const [first = "", ...others] = missing;
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  return `${first}${more} is missing: make runtimetest validation-executables`;
}

/** How Go calls the architecture. */
export function goArchitecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}
