// Options of mounts beside runc: recursive ones, propagation in its order, remounts, what the host has locked, cgroups with and
// without a namespace; crun's options for symbolic links; and what many mounts cost. Needs root.

import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Outcome, runc } from "../cli/executable.ts";
import { comparableMounts } from "../support/hybrid-host.ts";
import { type Bundle, openRoom, type RuntimeName, runBriefly, slowness } from "../support/room.ts";

const test = suite("kernel/mounts-options");
const room = openRoom("mounts-options");
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const beside = runc === undefined ? test.skip : test;

/** What the stand-in for a host has mounted: a volume with a mount below it, and one with flags that get locked. */
const host = join(room.directory, "host");
const [volume, locked, untimed] = ["volume", "locked", "untimed"].map((name) => join(host, name));
const prepareHost = [
  `mkdir -p ${host} && mount -t tmpfs host ${host}`,
  `mkdir -p ${volume}/below ${locked} ${untimed}`,
  `mount -t tmpfs below ${volume}/below`,
  `mount -t tmpfs -o ro,nosuid,nodev,noexec locked ${locked}`,
  `mount -t tmpfs -o noatime untimed ${untimed}`,
].join(" && ");

type Entry = {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string | undefined;
  readonly options: readonly string[];
};

type Container = {
  readonly mounts: readonly Entry[];
  readonly user?: boolean;
  readonly script?: string;
};

/** The mounts at /mnt with their flags, without numbers. */
const survey =
  "grep ' /mnt' /proc/self/mountinfo | sed 's/^[0-9]* [0-9]* [^ ]* //; s/:[0-9]*/:N/g'";

function makeBundle({ mounts, user = false, script = survey }: Container): Bundle {
  const maps = [{ containerID: 0, hostID: 0, size: 65536 }];
  const bundle = room.makeBundle({
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs" },
      ...mounts,
    ],
    process: { args: ["sh", "-c", script] },
    linux: {
      namespaces: [{ type: "pid" }, { type: "mount" }, ...(user ? [{ type: "user" }] : [])],
      ...(user ? { uidMappings: maps, gidMappings: maps } : {}),
    },
  });
  mkdirSync(join(bundle.rootfs, "mnt"), { recursive: true });
  return bundle;
}

/** Runs it on the stand-in for a host. */
function look(runtime: RuntimeName, container: Container): Outcome {
  const { directory } = makeBundle(container);
  const command = room.commandOf(runtime, "run", "-b", directory, room.newId()).join(" ");
  return runBriefly(["unshare", "--mount", "sh", "-c", `${prepareHost} && exec ${command}`]);
}

function bind(source: string | undefined, ...options: readonly string[]): Entry {
  return { destination: "/mnt", type: "bind", source, options };
}

function tmpfs(...options: readonly string[]): Entry {
  return { destination: "/mnt", type: "tmpfs", source: "tmpfs", options };
}

function same(container: Container, what: string): void {
  const [ours, theirs] = [look("ts-runc", container), look("runc", container)];
  assert.is(theirs.status, 0, `${what}: ${theirs.stderr}`);
  assert.is(ours.stderr, "", what);
  assert.is(ours.stdout, theirs.stdout, what);
}

// Not ratime and rnostrictatime, which runc 1.1.5 hands to the kernel without the choice that they clear.
const recursive =
  "rro rrw rnosuid rsuid rnodev rdev rnoexec rexec rnodiratime rdiratime rrelatime rnoatime rstrictatime rnosymfollow rsymfollow";

beside("recursive options change the mounts below as with runc", () => {
  const lists = [
    ...recursive.split(" ").map((option) => [option]),
    ["ro", "rrw"],
    ["rw", "rro", "rnosuid", "rnodev", "rnoexec", "rnoatime"],
  ];
  for (const options of lists) {
    same({ mounts: [bind(volume, "rbind", ...options)] }, options.join());
  }
});

beside("propagation changes in the order given, as with runc", () => {
  const lists = [
    ...["private", "shared", "slave", "unbindable"].flatMap((one) => [[one], [`r${one}`]]),
    ["shared", "private"],
    ["rshared", "slave"],
    ["rprivate", "rshared"],
    ["shared", "slave", "shared"],
    ["rslave", "shared", "ro"],
  ];
  for (const options of lists) {
    same({ mounts: [bind(volume, "rbind", ...options)] }, options.join());
    same({ mounts: [tmpfs(...options)] }, `tmpfs ${options.join()}`);
  }
});

beside("remount changes the mount that is there, to the flags that are named, as with runc", () => {
  same({ mounts: [tmpfs("nosuid"), tmpfs("remount", "ro", "noexec")] }, "a tmpfs");
  same({ mounts: [tmpfs("noatime"), tmpfs("remount", "size=64k")] }, "the size");
  const bound = bind(volume, "rbind", "nodev");
  for (const options of [["ro"], ["nosuid", "noatime"], ["noexec", "shared"]]) {
    same({ mounts: [bound, bind(volume, "remount", "bind", ...options)] }, options.join());
  }
});

test("remount of nothing fails, and a bind remount needs no source", () => {
  const nothing = look("ts-runc", { mounts: [tmpfs("remount", "ro")] });
  assert.is(nothing.status, 1);
  assert.match(nothing.stderr, /to rootfs at \\"\/mnt\\": fspick: invalid argument/);
  const mounts = [tmpfs("nosuid"), { destination: "/mnt", options: ["remount", "bind", "ro"] }];
  assert.match(look("ts-runc", { mounts }).stdout, /^\/ \/mnt ro,relatime - tmpfs tmpfs rw/);
});

beside("in a user namespace, flags and times that the host has stay or fail as with runc", () => {
  for (const options of [[], ["rro"], ["rnosuid"]]) {
    same({ mounts: [bind(locked, "bind", ...options)], user: true }, options.join());
  }
  for (const options of [["ro"], ["noatime", "nosuid"], ["rnoatime"]]) {
    same({ mounts: [bind(untimed, "bind", ...options)], user: true }, options.join());
  }
  for (const options of [["relatime"], ["strictatime"], ["rrelatime"]]) {
    for (const runtime of ["ts-runc", "runc"] as const) {
      const mounts = [bind(untimed, "bind", ...options)];
      const { status, stderr } = look(runtime, { mounts, user: true });
      assert.is(status, 1, options.join());
      assert.match(stderr, "operation not permitted");
    }
  }
});

test("in a user namespace a flag that is named is added to those of the host, which none can take away", () => {
  const all = "ro,nosuid,nodev,noexec";
  for (const options of [["ro"], ["nosuid"], ["relatime"], ["nosymfollow"]]) {
    const { stdout, stderr } = look("ts-runc", {
      mounts: [bind(locked, "bind", ...options)],
      user: true,
    });
    assert.match(stdout, `/ /mnt ${all},relatime`, stderr);
  }
  for (const option of ["rw", "suid", "dev", "exec", "noatime", "rrw"]) {
    const mounts = [bind(locked, "bind", option)];
    const { status, stderr } = look("ts-runc", { mounts, user: true });
    assert.is(status, 1, option);
    assert.match(stderr, /mount_setattr: operation not permitted/, option);
  }
  const remount = [bind(locked, "bind"), bind(locked, "remount", "bind", "ro")];
  assert.match(look("ts-runc", { mounts: remount, user: true }).stdout, `/ /mnt ${all},relatime`);
});

const unified = existsSync("/sys/fs/cgroup/cgroup.controllers");
if (!unified) console.log("skip: flags of the v2 tree: it is not at /sys/fs/cgroup");
(unified ? test : test.skip)("the host's tree of cgroup v2 keeps its flags", () => {
  const flagsOf = (): string =>
    / - cgroup2 .*/.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[0] ?? "";
  Bun.spawnSync(["mount", "-o", "remount,nsdelegate", "/sys/fs/cgroup"]);
  assert.match(flagsOf(), "nsdelegate");
  const options = ["nosuid", "noexec", "nodev", "ro"];
  const bundle = makeBundle({
    mounts: [{ destination: "/mnt/cgroup", type: "cgroup", source: "cgroup", options }],
    script: "cat /mnt/cgroup/cgroup.controllers",
  });
  const { stdout } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
  assert.is(stdout, readFileSync("/sys/fs/cgroup/cgroup.controllers", "utf8"));
  assert.match(flagsOf(), "nsdelegate");
});

beside(
  "mounts of cgroups are runc's, with and without a cgroup namespace, read-only or not",
  () => {
    const script =
      "grep -F /mnt/cgroup /proc/self/mountinfo | sed -E 's/^[0-9]+ [0-9]+ [^ ]+ //; s/shared:[0-9]+ //; s/master:[0-9]+ //' | sort; cd /mnt/cgroup; for name in *; do readlink $name; done; touch pids/x 2>&1; mkdir new 2>&1; ls -d new";
    for (const cgroup of [true, false]) {
      for (const mode of ["ro", "rw"]) {
        const options = ["nosuid", "noexec", "nodev", "relatime", mode];
        const seen = (["ts-runc", "runc"] as const).map((runtime) => {
          const bundle = room.makeBundle({
            mounts: [
              { destination: "/proc", type: "proc", source: "proc" },
              { destination: "/mnt/cgroup", type: "cgroup", source: "cgroup", options },
            ],
            process: { args: ["sh", "-c", `${script}; true`] },
            linux: {
              namespaces: [
                { type: "pid" },
                { type: "mount" },
                ...(cgroup ? [{ type: "cgroup" }] : []),
              ],
            },
          });
          const id = room.newId();
          const { status, stdout, stderr } = room.runtime(runtime, [
            "run",
            "-b",
            bundle.directory,
            id,
          ]);
          assert.is(status, 0, stderr);
          const lines = stdout.replaceAll(id, "ID").split("\n");
          // A mount of runc's takes the flags from the whole tree of v2; runc 1.1.5 leaves the tmpfs over the hierarchies of v1 writable.
          return comparableMounts(lines)
            .map((line) => line.replace(/ - cgroup2 .*/, " - cgroup2"))
            .filter((line) => !/ \/mnt\/cgroup r[ow]\S* - tmpfs |^(mkdir|new|ls)/.test(line))
            .join("\n");
        });
        assert.is(seen[0], seen[1], `${cgroup ? "own" : "the host's"} namespace, ${mode}`);
      }
    }
  },
);

test("copy-symlink makes the link of the source, and binds what is no link", () => {
  const link = join(room.directory, "link");
  symlinkSync("/etc/../nowhere", link);
  const file = join(room.directory, "file");
  writeFileSync(file, "of the host");
  const copied = (destination: string, source: string): Entry => ({
    destination,
    type: "bind",
    source,
    options: ["bind", "copy-symlink"],
  });
  for (const user of [false, true]) {
    const mounts = [
      copied("/new/place/link", link),
      copied("/etc/copy", file),
      copied("/etc/there", link),
    ];
    const script = "readlink /new/place/link; cat /etc/copy; readlink /etc/there";
    const bundle = makeBundle({ mounts, script, user });
    symlinkSync("/etc/../nowhere", join(bundle.rootfs, "etc/there"));
    const { stdout, stderr } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
    assert.is(stderr, "");
    assert.is(stdout, "/etc/../nowhere\nof the host/etc/../nowhere\n");
    assert.is(readlinkSync(join(bundle.rootfs, "new/place/link")), "/etc/../nowhere");
  }
  const other = makeBundle({ mounts: [copied("/etc/there", link)], script: "true" });
  symlinkSync("/other", join(other.rootfs, "etc/there"));
  const { status, stderr } = room.tsRunc(["run", "-b", other.directory, room.newId()]);
  assert.is(status, 1);
  assert.match(stderr, /\/etc\/there is a symbolic link to .*\/other.* and not to .*nowhere/);
});

test("src-nofollow mounts a link itself, dest-nofollow over a link itself", () => {
  const link = join(room.directory, "source-link");
  const file = join(room.directory, "target");
  writeFileSync(file, "of the target");
  symlinkSync(file, link);
  const script = "readlink /etc/place; cat /etc/place; cat /etc/real";
  const entry = (source: string, ...options: readonly string[]): Entry => ({
    destination: "/etc/place",
    type: "bind",
    source,
    options: ["bind", ...options],
  });
  const run = (mount: Entry, user: boolean): string => {
    const bundle = makeBundle({
      mounts: [mount],
      script: `{ ${script}; } 2>/dev/null; true`,
      user,
    });
    writeFileSync(join(bundle.rootfs, "etc/real"), "of the image");
    symlinkSync("real", join(bundle.rootfs, "etc/place"));
    const { status, stdout, stderr } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
    assert.is(status, 0, stderr);
    return stdout;
  };
  for (const user of [false, true]) {
    assert.is(run(entry(link), user), "real\nof the targetof the target");
    assert.is(run(entry(link, "dest-nofollow"), user), "of the targetof the image");
    assert.is(run(entry(link, "dest-nofollow", "src-nofollow"), user), `${file}\nof the image`);
  }
});

test("5,000 mounts cost no more than five times 1,000", () => {
  const source = join(room.directory, "source");
  mkdirSync(source);
  /** Seconds of processor time of the runtime, the least of three runs: others work on the same machine. */
  const cost = (count: number): number => {
    const mounts = Array.from({ length: count }, (_, index) => ({
      destination: `/mnt/${index}`,
      type: "bind",
      source,
      options: ["bind", "ro", "nosuid"],
    }));
    const bundle = makeBundle({ mounts, script: "grep -c ' /mnt/' /proc/self/mountinfo" });
    const times = Array.from({ length: 3 }, () => {
      const command = room.command("run", "-b", bundle.directory, room.newId());
      const { stdout, exitCode, resourceUsage } = Bun.spawnSync(command);
      assert.is(exitCode, 0);
      assert.is(stdout.toString(), `${count}\n`);
      return Number(resourceUsage?.cpuTime.total ?? 0) / 1e6;
    });
    return Math.min(...times);
  };
  const large = slowness === 1 ? 5000 : 500;
  const [few, many] = [cost(large / 5), cost(large)];
  // What a run costs without mounts counts for the few; a collection of garbage may come in between.
  assert.ok(many < 5 * few * 1.3, `${many} s against ${few} s`);
});

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
