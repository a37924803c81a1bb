// Groups below parents that are odd on cgroup v2, threaded or with processes of their own, with the built executable beside Debian's
// runc. Needs root, and a host of cgroup v2.

import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { runc } from "../cli/executable.ts";
import { openRoom, type RuntimeName } from "../support/room.ts";

const test = suite("kernel/cgroup-parents");
const room = openRoom("parents");
const host = readCgroupHost();
if (host.version !== "v2") {
  console.log("skip: this host has no cgroup v2");
  room.remove();
}
const check = host.version === "v2" ? test : test.skip;
const both: readonly RuntimeName[] = runc === undefined ? ["ts-runc"] : ["ts-runc", "runc"];
const mib = 1 << 20;

/** The directory above our own group: where containers of ours have theirs. */
const above =
  host.version === "v2" && host.hierarchy.ownPath !== host.hierarchy.mountPoint
    ? join(host.hierarchy.ownPath, "..")
    : "/sys/fs/cgroup";

/** Runs containers with these resources in groups below a new parent; returns what each runtime says. */
function runBelow(
  setUp: (parent: string) => (() => void) | undefined,
  resources: LinuxResources,
): readonly { readonly status: number; readonly stdout: string; readonly error: string }[] {
  return both.map((runtime) => {
    const name = room.newId();
    const parent = join(above, name);
    mkdirSync(parent);
    const takeDown = setUp(parent);
    try {
      const id = room.newId();
      const { directory } = room.makeBundle({
        process: { args: ["cat", "/proc/self/cgroup"] },
        linux: {
          namespaces: [{ type: "pid" }, { type: "mount" }],
          cgroupsPath: `${parent.slice("/sys/fs/cgroup".length)}/${id}`,
          resources,
        },
      });
      const outcome = room.runtime(runtime, ["run", "--bundle", directory, id]);
      room.runtime(runtime, ["delete", "--force", id]);
      const error = outcome.stderr.trim().split("\n").at(-1) ?? "";
      const plain = (text: string): string =>
        text.replaceAll(id, "ID").replaceAll(parent, "PARENT").replaceAll(name, "NAME");
      return {
        status: outcome.status,
        stdout: plain(outcome.stdout),
        error: plain(error),
      };
    } finally {
      takeDown?.();
      rmdirSync(parent);
    }
  });
}

/** Makes the parent one that has a process. */
function settle(parent: string): () => void {
  const child = Bun.spawn(["sleep", "1000"], { stdin: "ignore" });
  writeFileSync(join(parent, "cgroup.procs"), `${child.pid}`);
  return () => {
    child.kill("SIGKILL");
    while (!/^populated 0$/m.test(readFileSync(join(parent, "cgroup.events"), "utf8"))) {
      Bun.sleepSync(10);
    }
  };
}

/** Makes the parent a domain whose threads may be spread over the groups below it. */
function thread(parent: string): () => void {
  const sister = join(parent, "sister");
  mkdirSync(sister);
  writeFileSync(join(sister, "cgroup.type"), "threaded");
  return () => rmdirSync(sister);
}

for (const [name, setUp] of [
  ["with processes", settle],
  ["that is threaded", thread],
] as const) {
  for (const [limit, resources] of [
    ["no limit", {}],
    ["a limit of processes", { pids: { limit: 20 } }],
    ["a limit of memory", { memory: { limit: 64 * mib } }],
  ] as const) {
    check(`below a parent ${name}, ${limit} is as with runc`, () => {
      const [ours, theirs = ours] = runBelow(setUp, resources);
      assert.is(ours?.status, theirs?.status);
      assert.is(ours?.stdout, theirs?.stdout);
      const refusal = "cannot enter cgroupv2";
      const needsDomain = "memory" in resources;
      for (const one of [ours, theirs]) assert.is(one?.error.includes(refusal), needsDomain);
      if (needsDomain) assert.match(ours?.error ?? "", "with domain controllers -- it is in");
    });
  }
}

check("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
