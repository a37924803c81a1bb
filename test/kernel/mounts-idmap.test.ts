// Idmapped mounts, and the sources of binds in containers with a user namespace: owners seen from both sides, what stays
// locked, what is refused. runc 1.1.5 has no idmapped mounts. Needs root.

import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runc } from "../cli/executable.ts";
import { type Bundle, openRoom, type RuntimeName, runBriefly } from "../support/room.ts";

const test = suite("kernel/mounts-idmap");
const room = openRoom("mounts-idmap");
const proc = { destination: "/proc", type: "proc", source: "proc" };

/** A directory of the host's root that nobody else may enter, with files of several owners. */
const hidden = join(room.directory, "hidden");
const volume = join(hidden, "volume");
mkdirSync(volume, { recursive: true });
for (const id of [0, 7]) {
  writeFileSync(join(volume, `of${id}`), `${id}`);
  chownSync(join(volume, `of${id}`), id, id);
}
mkdirSync(join(volume, "below"));
chmodSync(hidden, 0o700);

function range(containerID: number, hostID: number, size: number): object {
  return { containerID, hostID, size };
}

type Container = {
  readonly mounts: readonly object[];
  readonly script: string;
  readonly namespaces?: readonly object[];
};

function makeBundle({ mounts, script, namespaces = [] }: Container): Bundle {
  return room.makeBundle({
    mounts: [proc, ...mounts],
    process: { args: ["sh", "-c", script] },
    linux: { namespaces: [{ type: "pid" }, { type: "mount" }, ...namespaces] },
  });
}

const mapped = [range(0, 100_000, 65_536)];

/** The same in a new user namespace whose root is nobody on the host. */
function makeMappedBundle({ mounts, script }: Container): Bundle {
  const bundle = room.makeBundle({
    mounts: [proc, ...mounts],
    process: { args: ["sh", "-c", script] },
    linux: {
      namespaces: [{ type: "pid" }, { type: "mount" }, { type: "user" }],
      uidMappings: mapped,
      gidMappings: mapped,
    },
  });
  runBriefly(["chown", "-R", "100000:100000", bundle.rootfs]);
  return bundle;
}

function run({ directory }: Bundle, runtime: RuntimeName = "ts-runc"): string {
  const { status, stdout, stderr } = room.runtime(runtime, ["run", "-b", directory, room.newId()]);
  assert.is(stderr, "");
  assert.is(status, 0);
  return stdout;
}

function fail({ directory }: Bundle): string {
  const { status, stderr } = room.tsRunc(["run", "-b", directory, room.newId()]);
  assert.is(status, 1, stderr);
  return stderr;
}

const owners = "stat -c %u:%g /mnt/of0 /mnt/of7";
const own = {
  uidMappings: [range(0, 2000, 1), range(7, 3000, 1)],
  gidMappings: [range(0, 4000, 10)],
};
const bind = { destination: "/mnt", type: "bind", source: volume };
const others = "2000:4000\n3000:4007\n";

test("a mount with maps of its own shows other owners, and what is made there has those on disk", () => {
  const mount = { ...bind, options: ["bind", "idmap"], ...own };
  const script = `${owners}; rm -f /mnt/new; touch /mnt/new`;
  // Root has no id on disk that it would be on the mount, and may make nothing there.
  const none = { ...mount, uidMappings: [range(7, 3000, 1)] };
  assert.is(run(makeBundle({ mounts: [mount], script: owners })), others);
  const toRoot = { ...mount, uidMappings: [range(7, 0, 1)], gidMappings: [range(7, 0, 1)] };
  runBriefly(["chown", "7:7", join(volume, "below")]);
  run(makeBundle({ mounts: [toRoot], script: "touch /mnt/below/made" }));
  const made = statSync(join(volume, "below/made"));
  assert.equal([made.uid, made.gid], [7, 7]);
  const { status, stderr } = room.tsRunc([
    "run",
    "-b",
    makeBundle({ mounts: [none], script }).directory,
    room.newId(),
  ]);
  assert.match(stderr, /touch: \/mnt\/new: /);
  assert.is.not(status, 0);
});

test("the maps need no option, and crun's option needs no maps", () => {
  assert.is(run(makeBundle({ mounts: [{ ...bind, ...own }], script: owners })), others);
  const option = "idmap=uids=0-2000-1#7-3000-1;gids=0-4000-10";
  const mount = { ...bind, options: ["rbind", option] };
  assert.is(run(makeBundle({ mounts: [mount], script: owners })), others);
});

test("idmap alone takes the container's user namespace, new or joined", () => {
  const mounts = [{ ...bind, options: ["bind", "idmap"] }];
  assert.is(run(makeMappedBundle({ mounts, script: owners })), "0:0\n7:7\n");
  const holder = room.newId();
  const sleeper = makeMappedBundle({ mounts: [], script: "sleep 1000" });
  assert.is(room.tsRunc(["run", "-d", "-b", sleeper.directory, holder]).status, 0);
  try {
    const path = `/proc/${room.state(holder)?.pid}/ns/user`;
    const bundle = makeBundle({ mounts, script: owners, namespaces: [{ type: "user", path }] });
    runBriefly(["chown", "-R", "100000:100000", bundle.rootfs]);
    assert.is(run(bundle), "0:0\n7:7\n");
  } finally {
    room.tsRunc(["delete", "--force", holder]);
  }
});

test("idmap maps the mount alone, ridmap those below it, too", () => {
  // A host of its own, with a mount below the volume.
  const look = (...options: readonly string[]): string => {
    const script = "stat -c %u:%g /mnt/of0 /mnt/below/file";
    const mounts = [{ ...bind, options, ...own }];
    const { directory } = makeBundle({ mounts, script });
    const command = room.command("run", "-b", directory, room.newId()).join(" ");
    const below = join(volume, "below");
    // No tmpfs: Linux has idmapped ones since 6.3 only.
    const other = join(hidden, "other");
    const host = `mkdir -p ${other} && touch ${other}/file && mount --bind ${other} ${below} && ${command}`;
    const { status, stdout, stderr } = runBriefly(["unshare", "--mount", "sh", "-c", host]);
    assert.is(stderr, "");
    assert.is(status, 0);
    return stdout;
  };
  assert.is(look("rbind", "idmap"), "2000:4000\n0:0\n");
  assert.is(look("rbind", "ridmap"), "2000:4000\n2000:4000\n");
});

test("a source that cannot be mapped is named, with the place and the reason, and nothing is left", () => {
  const mount = { ...bind, source: "/sys", options: ["bind", "idmap"], ...own };
  const why =
    /error mounting \\"\/sys\\" to rootfs at \\"\/mnt\\": failed to set MOUNT_ATTR_IDMAP on \/sys \(maybe the filesystem used doesn't support idmap mounts on this kernel.*: mount_setattr: invalid argument/;
  assert.match(fail(makeBundle({ mounts: [mount], script: "true" })), why);
  const inherited = { ...bind, source: "/sys", options: ["bind", "idmap"] };
  assert.match(fail(makeMappedBundle({ mounts: [inherited], script: "true" })), why);
});

test("a map that the kernel does not take, and too many different ones, are refused", () => {
  // An id of the right side twice; each range by itself is fine.
  const twice = [range(0, 5, 1), range(1, 5, 1)];
  const hostile = { ...bind, ...own, uidMappings: twice };
  assert.match(fail(makeBundle({ mounts: [hostile], script: "true" })), /overlaps/);
  const many = Array.from({ length: 65 }, (_, index) => ({
    ...bind,
    destination: `/mnt${index}`,
    ...own,
    uidMappings: [range(0, index + 1, 1)],
  }));
  const refused = fail(makeBundle({ mounts: many, script: "true" }));
  assert.match(refused, /the mounts have 65 different id mappings, more than the 64/);
  run(makeBundle({ mounts: many.slice(0, 64), script: "true" }));
});

const beside = runc === undefined ? (["ts-runc"] as const) : (["ts-runc", "runc"] as const);
for (const runtime of beside) {
  test(`${runtime}: sources that the container's root cannot reach are mounted with a user namespace`, () => {
    const mounts = [
      { ...bind, options: ["rbind", "ro"] },
      { ...bind, destination: "/etc/of7", source: join(volume, "of7"), options: ["bind"] },
    ];
    const script = "cat /mnt/of0 /etc/of7; stat -c %u /mnt/of0; touch /mnt/new 2>&1; true";
    const seen = run(makeMappedBundle({ mounts, script }), runtime);
    assert.is(seen, "0765534\ntouch: /mnt/new: Read-only file system\n");
  });
}

test("with a user namespace the host's flags stay on a source, mapped or not", () => {
  for (const option of ["bind", "idmap"]) {
    const mounts = [{ ...bind, source: join(hidden, "locked"), options: ["bind", option] }];
    const script =
      "grep ' /mnt ' /proc/self/mountinfo; for flags in rw,noexec,nosuid,nodev ro,exec,nosuid,nodev ro,noexec,suid,nodev ro,noexec,nosuid,dev; do mount -o remount,bind,$flags /mnt 2>/dev/null && echo $flags; done; mount -o remount,bind,ro,nosuid,nodev,noexec /mnt && echo kept";
    const bundle = makeMappedBundle({ mounts, script });
    runBriefly(["sh", "-c", withCapabilities(bundle.directory)]);
    const command = room.command("run", "-b", bundle.directory, room.newId()).join(" ");
    const place = join(hidden, "locked");
    const host = `mkdir -p ${place} && mount --bind ${place} ${place} && mount -o remount,bind,ro,nosuid,nodev,noexec ${place} && ${command}`;
    const { status, stdout, stderr } = runBriefly(["unshare", "--mount", "sh", "-c", host]);
    assert.is(stderr, "");
    assert.is(status, 0);
    assert.match(stdout, /^\d+ \d+ \S+ \S+ \/mnt ro,nosuid,nodev,noexec,relatime\S* - .*\nkept\n$/);
  }
});

/** A command that gives the container's root what it needs to change mounts, were they not locked. */
function withCapabilities(directory: string): string {
  const config = join(directory, "config.json");
  const all = JSON.stringify(["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
  const sets = ["bounding", "effective", "permitted"].map((set) => `"${set}":${all}`).join(",");
  return `sed -i 's/"args":/"capabilities":{${sets}},"args":/' ${config}`;
}

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
