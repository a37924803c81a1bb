// Tests of root, mounts and mount options (config.md).

import { chownSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configWith, inUserNamespace, type Mount, proc } from "./config.ts";
import { expect, expectSame, needs } from "./expect.ts";
import { type MountOption, mountOptions } from "./mount-options.ts";
import { mountAt, type SeenMount } from "./mountinfo.ts";
import type { Room, Test, Tests } from "./room.ts";

/** Mounts a tmpfs on the host, for the length of the test. */
function mountOnHost(room: Room, at: string, propagation: "shared" | "private" = "private"): void {
  mkdirSync(at, { recursive: true });
  const made = Bun.spawnSync(["mount", "-t", "tmpfs", `--make-${propagation}`, "conformance", at]);
  needs(made.success, `the host does not let us mount: ${made.stderr}`);
  room.defer(() => Bun.spawnSync(["umount", "-l", at]));
}

/** A directory of the host with a mount on it, and another below that, for the length of the test. */
export function makeTree(room: Room, propagation: "shared" | "private" = "private"): string {
  const at = join(room.directory, room.newName());
  mountOnHost(room, at, propagation);
  mountOnHost(room, join(at, "sub"), propagation);
  writeFileSync(join(at, "sub", "file"), "below\n");
  return at;
}

/** What a container sees of the mount at a path. */
function seeMount(room: Room, mounts: readonly Mount[], path = "/m"): SeenMount {
  const seen = mountAt(room.probe("cat /proc/self/mountinfo", { mounts: [proc, ...mounts] }), path);
  if (seen === undefined) throw new Error(`nothing is mounted at ${path}`);
  return seen;
}

function bindOf(source: string, ...options: readonly string[]): Mount {
  return { destination: "/m", type: "bind", source, options };
}

function optionTest({ options, shows, lacks, of }: MountOption): Test {
  return (room) => {
    const tmpfs: Mount = { destination: "/m", type: "tmpfs", source: "tmpfs", options };
    const { words, flags } =
      of === "tmpfs"
        ? seeMount(room, [tmpfs])
        : seeMount(room, [bindOf(makeTree(room), ...options)], "/m/sub");
    const missing = shows.filter((word) => !words.includes(word));
    const extra = lacks.filter((word) => words.includes(word));
    expectSame(`${flags.join()}: missing and too many`, [missing, extra], [[], []]);
  };
}

/** What the propagation of a bind mount of a tree, and of the mount below it, has to match. */
function propagationTest(option: string, pattern: RegExp, deep: boolean): Test {
  return (room) => {
    const source = makeTree(room, "shared");
    const upper = seeMount(room, [bindOf(source, "rbind", option)]).propagation;
    expect(pattern.test(upper), `the mount is ${JSON.stringify(upper)}`);
    if (!deep) return;
    const lower = seeMount(room, [bindOf(source, "rbind", option)], "/m/sub").propagation;
    expect(pattern.test(lower), `the mount below is ${JSON.stringify(lower)}`);
  };
}

const mapping = (hostID: number) => [{ containerID: 0, hostID, size: 1000 }];

/** The owners of what is bound, and of what is mounted below it, as a container sees them through a mapping. */
function ownersThrough(room: Room, option: "idmap" | "ridmap"): readonly string[] {
  const source = makeTree(room);
  for (const path of [join(source, "own"), join(source, "sub", "own")]) {
    writeFileSync(path, "");
    chownSync(path, 0, 0);
  }
  const mount = {
    ...bindOf(source, option === "idmap" ? "bind" : "rbind", option),
    uidMappings: mapping(4000),
    gidMappings: mapping(5000),
  };
  const script = "stat -c %u:%g /m/own; stat -c %u:%g /m/sub/own";
  return room.probe(`${script} 2>/dev/null`, { mounts: [proc, mount] }).split("\n");
}

/** A config with a mount that is idmapped, but lacks what that takes. */
function refusesMapped(properties: object, ...options: readonly string[]): Test {
  return (room) => {
    const source = join(room.directory, room.newName());
    mkdirSync(source);
    room.refuses({ mounts: [proc, { ...bindOf(source, "bind", ...options), ...properties }] });
  };
}

const rootTests: Tests = {
  "root-relative": (room) => {
    const directory = "elsewhere/root";
    const bundle = room.bundle({ root: { path: directory } });
    mkdirSync(join(bundle.directory, "elsewhere"));
    Bun.spawnSync(["mv", bundle.rootfs, join(bundle.directory, directory)]);
    expectSame("status", room.createFrom(bundle).status(), "created");
  },
  "root-absolute": (room) => {
    const bundle = room.bundle();
    const root = { path: bundle.rootfs };
    expectSame("output", room.probe("echo here", { root }), "here");
  },
  "root-exists": (room) => void room.refuses({ root: { path: "no-such-directory" } }),
  "root-directory": (room) => {
    const bundle = room.bundle();
    rmSync(bundle.rootfs, { recursive: true });
    writeFileSync(bundle.rootfs, "");
    expect(room.tryCreate(bundle).status > 0, "create succeeds");
  },
  "root-readonly": (room) => {
    const script = "echo >/file 2>/dev/null && echo written; ls /file 2>/dev/null; true";
    expectSame("output", room.probe(script, { root: { path: "rootfs", readonly: true } }), "");
  },
  "root-writable": (room) => {
    const container = room.create({ process: { args: ["touch", "/file"] } });
    container.start();
    container.wait();
    expect(existsSync(join(container.bundle.rootfs, "file")), "nothing is written");
  },
};

const mountTests: Tests = {
  "mounts-order": (room) => {
    const tmpfs = (destination: string, size: string): Mount => ({
      destination,
      type: "tmpfs",
      source: "tmpfs",
      options: [`size=${size}`],
    });
    const mounts = [proc, tmpfs("/m", "4k"), tmpfs("/m/one", "8k"), tmpfs("/m", "12k")];
    const seen = room.probe("grep ' /m' /proc/self/mountinfo", { mounts });
    const sizes = [...seen.matchAll(/size=(\d+k)/g)].map(([, size]) => size);
    expectSame("sizes", sizes, ["4k", "8k", "12k"]);
  },
  "mounts-relative": (room) => {
    const mount: Mount = { destination: "m", type: "tmpfs", source: "tmpfs" };
    expectSame("type", seeMount(room, [mount]).type, "tmpfs");
  },
  "mounts-source-relative": (room) => {
    const bundle = room.bundle();
    mkdirSync(join(bundle.directory, "volume"));
    writeFileSync(join(bundle.directory, "volume", "file"), "volume\n");
    const mounts = [proc, bindOf("volume", "bind")];
    const config = configWith({ mounts, process: { args: ["cat", "/m/file"] } });
    writeFileSync(join(bundle.directory, "config.json"), JSON.stringify(config));
    const container = room.createFrom(bundle);
    container.start();
    container.wait();
    expectSame("output", container.output(), "volume\n");
  },
  "mounts-source-file": (room) => {
    const source = join(room.directory, room.newName());
    writeFileSync(source, "of the host\n");
    const mount = { ...bindOf(source, "bind"), destination: "/etc/file" };
    expectSame("file", room.probe("cat /etc/file", { mounts: [proc, mount] }), "of the host");
  },
  "mounts-type-dummy": (room) => {
    const source = makeTree(room);
    const mount = { ...bindOf(source, "rbind"), type: "none" };
    expectSame("file", room.probe("cat /m/sub/file", { mounts: [proc, mount] }), "below");
  },
  "mounts-type": (room) => {
    const types = ["tmpfs", "sysfs", "proc"].map(
      (type) => seeMount(room, [{ destination: "/m", type, source: "none" }]).type,
    );
    expectSame("types", types, ["tmpfs", "sysfs", "proc"]);
  },
  "option-bind": (room) => {
    const mounts = [proc, bindOf(makeTree(room), "bind")];
    expectSame("below", room.probe("ls /m/sub", { mounts }), "");
  },
  "option-rbind": (room) => {
    const mounts = [proc, bindOf(makeTree(room), "rbind")];
    expectSame("below", room.probe("ls /m/sub", { mounts }), "file");
  },
  "option-private": propagationTest("private", /^$/, false),
  "option-rprivate": propagationTest("rprivate", /^$/, true),
  "option-shared": propagationTest("shared", /shared:/, false),
  "option-rshared": propagationTest("rshared", /shared:/, true),
  "option-slave": propagationTest("slave", /^(?!.*shared:).*master:/, false),
  "option-rslave": propagationTest("rslave", /^(?!.*shared:).*master:/, true),
  "option-unbindable": propagationTest("unbindable", /unbindable/, false),
  "option-runbindable": propagationTest("runbindable", /unbindable/, true),
  "option-remount": (room) => {
    const tmpfs: Mount = {
      destination: "/m",
      type: "tmpfs",
      source: "tmpfs",
      options: ["size=64k"],
    };
    const { words } = seeMount(room, [tmpfs, { ...tmpfs, options: ["remount", "ro", "size=64k"] }]);
    expect(words.includes("ro"), `the mount is ${words.join()}`);
  },
  "option-data": (room) => {
    const options = ["size=64k", "mode=0711"];
    const { words } = seeMount(room, [{ destination: "/m", type: "tmpfs", source: "t", options }]);
    expect(words.includes("size=64k") && words.includes("mode=711"), `it is ${words.join()}`);
  },
};

const idmapTests: Tests = {
  "idmap-needs-map": refusesMapped({}, "idmap"),
  "ridmap-needs-map": refusesMapped({}, "ridmap"),
  "idmap-maps": (room) => expectSame("owner", ownersThrough(room, "idmap")[0], "4000:5000"),
  "ridmap-maps": (room) =>
    expectSame("owners", ownersThrough(room, "ridmap"), ["4000:5000", "4000:5000"]),
  "idmap-uid-needs-gid": refusesMapped({ uidMappings: mapping(4000) }, "idmap"),
  "idmap-gid-needs-uid": refusesMapped({ gidMappings: mapping(4000) }, "idmap"),
  "mapping-owner": (room) => {
    const bundle = room.bundle(inUserNamespace);
    const owner = () => statSync(join(bundle.rootfs, "bin/busybox")).uid;
    const before = owner();
    room.createFrom(bundle).start();
    expectSame("owner", owner(), before);
  },
};

export const configMountTests: Tests = {
  ...rootTests,
  ...mountTests,
  ...idmapTests,
  ...Object.fromEntries(
    mountOptions.map((option) => [`option-${option.name}`, optionTest(option)]),
  ),
};
