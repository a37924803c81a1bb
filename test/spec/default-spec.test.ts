import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultSpec, printSpec } from "../../src/spec/default-spec.ts";

const test = suite("spec/default-spec");
const runc = "/usr/sbin/runc";

const withRunc = existsSync(runc) ? test : test.skip;
if (!existsSync(runc)) console.log("skip: runc is not installed, there is nothing to compare with");

/** What runc writes, with the version and the ambient set of newer releases than Debian's. */
function runcSpec(...options: readonly string[]): string {
  const bundle = mkdtempSync(join(tmpdir(), "bundle-"));
  const { exitCode } = Bun.spawnSync([runc, "spec", ...options, "--bundle", bundle]);
  assert.is(exitCode, 0);
  const text = readFileSync(join(bundle, "config.json"), "utf8");
  // Debian's runc (1.1.5) still fills the ambient set, which later ones do not.
  return text
    .replace(/"ociVersion": ".*"/, '"ociVersion": "1.3.0"')
    .replace(/,\n\t\t\t"ambient": \[[^\]]*\]/, "");
}

withRunc(
  "the default config is byte for byte runc's, apart from its version and ambient set",
  () => {
    const text = runcSpec();
    const cgroupV2 = text.includes('"cgroup"\n\t\t\t}');
    assert.is(printSpec(defaultSpec({ rootless: undefined, cgroupV2 })), text);
  },
);

withRunc("the rootless default config is runc's in the same way", () => {
  const text = runcSpec("--rootless");
  const cgroupV2 = text.includes('"cgroup"\n\t\t\t}');
  const rootless = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  assert.is(printSpec(defaultSpec({ rootless, cgroupV2 })), text);
});

test("defaultSpec() has a cgroup namespace where cgroups are unified", () => {
  const types = (rootless: { uid: number; gid: number } | undefined) =>
    defaultSpec({ rootless, cgroupV2: true }).linux?.namespaces?.map(({ type }) => type);
  assert.equal(types(undefined), ["pid", "network", "ipc", "uts", "mount", "cgroup"]);
  assert.equal(types({ uid: 1, gid: 2 }), ["pid", "ipc", "uts", "mount", "cgroup", "user"]);
});

test("defaultSpec() maps the rootless caller to the container's root", () => {
  const { linux, mounts } = defaultSpec({ rootless: { uid: 1000, gid: 100 }, cgroupV2: false });
  assert.equal(linux?.uidMappings, [{ containerID: 0, hostID: 1000, size: 1 }]);
  assert.equal(linux?.gidMappings, [{ containerID: 0, hostID: 100, size: 1 }]);
  assert.is(linux?.resources, undefined);
  const options = mounts?.flatMap((mount) => mount.options ?? []) ?? [];
  assert.not.ok(options.some((option) => /^[ug]id=/.test(option)));
});

test.run();
