// AppArmor on the machine that runs a test: whether it is there, and profiles for it.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";

const enabled = "/sys/module/apparmor/parameters/enabled";
const parser = "/usr/sbin/apparmor_parser";

export const hasApparmor = existsSync(enabled) && readFileSync(enabled, "utf8").startsWith("Y");
/** Whether profiles can be loaded. */
export const canConfine = hasApparmor && existsSync(parser);

/** Loads a profile in which everything is allowed but to write to /tmp/forbidden. */
export function loadProfile(directory: string, name: string): void {
  const path = join(directory, `${name}.profile`);
  const rules = "file, capability, network, mount, signal, ptrace, unix, umount,";
  writeFileSync(
    path,
    `profile ${name} flags=(attach_disconnected) { ${rules} deny /tmp/forbidden w, }\n`,
  );
  const argv = [parser, "--replace", "--skip-cache", path];
  const child = Bun.spawnSync(argv, { stdin: "ignore" });
  assert.is(child.exitCode, 0, child.stderr.toString());
}
