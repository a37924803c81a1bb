// The bundles that all runtimes run: what `runc spec` writes, without a terminal, on a root of static busybox.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

export type Bundles = {
  /** /bin/true. */
  readonly brief: string;
  /** A program that stays until it is killed. */
  readonly lasting: string;
  /** A program that says a word and exits with `telling.status`: for the check that containers do run. */
  readonly telling: string;
};

export const telling = { word: "from inside", status: 7 } as const;

const busybox = "/bin/busybox";
const applets = ["true", "sleep", "sh", "echo"];

/** Makes the bundles in `directory`; `writer` is the runtime whose `spec` is asked. */
export function makeBundles(directory: string, writer: string): Bundles {
  if (!existsSync(busybox)) throw new Error("busybox is missing: apt-get install busybox-static");
  const rootfs = join(directory, "rootfs");
  for (const name of ["bin", "dev", "etc", "proc", "sys", "tmp"]) {
    mkdirSync(join(rootfs, name), { recursive: true });
  }
  copyFileSync(busybox, join(rootfs, "bin/busybox"));
  for (const applet of applets) symlinkSync("busybox", join(rootfs, "bin", applet));
  const child = Bun.spawnSync([writer, "spec", "--bundle", directory], { stderr: "pipe" });
  if (!child.success) throw new Error(`${writer} spec: ${child.stderr}`);
  const config: unknown = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
  const make = (name: string, args: readonly string[]): string => {
    const bundle = join(directory, name);
    mkdirSync(bundle);
    const text = JSON.stringify(changeConfig(config, { args, rootfs }), undefined, 2);
    writeFileSync(join(bundle, "config.json"), text);
    return bundle;
  };
  const { word, status } = telling;
  return {
    brief: make("brief", ["/bin/true"]),
    lasting: make("lasting", ["/bin/sleep", "1000"]),
    telling: make("telling", ["/bin/sh", "-c", `echo ${word}; exit ${status}`]),
  };
}

function changeConfig(
  config: unknown,
  { args, rootfs }: { readonly args: readonly string[]; readonly rootfs: string },
): unknown {
  if (!isObject(config) || !isObject(config["process"]) || !isObject(config["root"])) {
    throw new Error("`spec` has written no config");
  }
  const { capabilities } = config["process"];
  // That list of runc 1.1.5's has what the kernel cannot raise, of which ts-runc warns, as later runcs do.
  const held = isObject(capabilities) ? { ...capabilities, ambient: [] } : {};
  return {
    ...config,
    process: { ...config["process"], capabilities: held, terminal: false, args },
    root: { ...config["root"], path: rootfs },
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
