// Ids of an ordinary user's containers beyond its own, with the built executable and beside Debian's crun: newuidmap, and the
// maps that a config leaves out. Needs root, which it puts off.

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { executable } from "../cli/executable.ts";
import { hideUnusedTree } from "../support/crun.ts";
import { crun, gid, openUser, uid, withLinux } from "../support/ordinary-user.ts";
import { openRoom } from "../support/room.ts";

const test = suite("kernel/rootless-ids");
const room = openRoom("rootless-ids");
const { asUser, bundle, expectNothingLeft, home, running, runtime } = openUser(room);

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

test.after(() => room.remove());

test.after.each(expectNothingLeft);

test("without newuidmap a map of more than one id is refused by its name and that of its package", () => {
  const more = { containerID: 1, hostID: 900_000, size: 10 };
  const directory = bundle((spec) =>
    withLinux(spec, { uidMappings: [{ containerID: 0, hostID: uid, size: 1 }, more] }),
  );
  const without = ["env", `PATH=${home}`, executable, "run", "-b", directory, room.newId()];
  const { status, stderr } = asUser(without);
  assert.is(status, 1);
  assert.match(lastLine(stderr), /exec: ."newuidmap.": executable file not found in \$PATH/);
  assert.match(stderr, /package uidmap/);
});

test("subordinate ids are mapped by newuidmap, and where the config has no maps, as crun maps them", () => {
  if (!existsSync("/usr/bin/newuidmap")) {
    console.log("skip: newuidmap is not installed");
    return;
  }
  const lines = {
    passwd: `root:x:0:0::/:/bin/sh\nwho:x:${uid}:${gid}::/:/bin/sh\n`,
    subuid: "who:900000:70000\n",
    subgid: "who:800000:65536\n",
  };
  for (const [name, text] of Object.entries(lines)) writeFileSync(join(room.directory, name), text);
  const before = ["passwd", "subuid", "subgid"]
    .map((name) => `mount --bind ${room.directory}/${name} /etc/${name}`)
    .join(" && ");
  const show = ["sh", "-c", "cat /proc/self/uid_map /proc/self/gid_map; id"];
  const ranges = running(show, (spec) =>
    withLinux(
      {
        ...spec,
        process: { cwd: "/", ...spec.process, user: { uid: 3, gid: 2, additionalGids: [7] } },
      },
      {
        uidMappings: [
          { containerID: 0, hostID: uid, size: 1 },
          { containerID: 1, hostID: 900_000, size: 10 },
        ],
        gidMappings: [
          { containerID: 0, hostID: gid, size: 1 },
          { containerID: 1, hostID: 800_000, size: 10 },
        ],
      },
    ),
  );
  const mapped = runtime("ts-runc", ["run", "-b", ranges, room.newId()], { before });
  assert.is(mapped.status, 0, mapped.stderr);
  assert.match(mapped.stdout, /uid=3 gid=2 groups=7/);
  assert.match(mapped.stdout, / 1 +900000 +10\n/);
  for (const user of [
    { uid: 0, gid: 0 },
    { uid: 3, gid: 2 },
  ]) {
    const automatic = running(show, (spec) => {
      const { uidMappings: _, gidMappings: __, ...linux } = spec.linux ?? {};
      return { ...spec, ociVersion: "1.0.0", process: { cwd: "/", ...spec.process, user }, linux };
    });
    const ours = runtime("ts-runc", ["run", "-b", automatic, room.newId()], { before });
    assert.is(ours.status, 0, ours.stderr);
    assert.match(ours.stdout, `uid=${user.uid} gid=${user.gid}`);
    assert.match(ours.stdout, new RegExp(`^ *${user.uid} +${uid} +1$`, "m"));
    if (!existsSync(crun)) continue;
    const crunRoot = join(home, "crun");
    const theirs = runtime(
      "crun",
      ["--root", crunRoot, "--cgroup-manager", "disabled", "run", "-b", automatic, room.newId()],
      { before: `${before} && ${hideUnusedTree()}` },
    );
    assert.is(theirs.status, 0, theirs.stderr);
    assert.is(ours.stdout, theirs.stdout);
  }
});

test.run();
