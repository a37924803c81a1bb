// What may be mounted at /proc and /sys and inside them, by the config's text and through links of the image, beside runc. Needs root.

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages, type Outcome, runc } from "../cli/executable.ts";
import { openRoom, type RuntimeName } from "../support/room.ts";

const test = suite("kernel/mounts-proc");
const room = openRoom("mounts-proc");
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const beside = runc === undefined ? test.skip : test;

const volume = join(room.directory, "volume");
const file = join(volume, "file");
mkdirSync(join(volume, "here"), { recursive: true });
writeFileSync(file, "of the volume");
symlinkSync("/proc", join(volume, "link"));

type Entry = {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
};
type Case = {
  readonly name: string;
  readonly mounts: readonly Entry[];
  /** Namespaces besides that of mounts. */
  readonly namespaces?: readonly string[];
  /** Symbolic links of the image, by name. */
  readonly links?: Readonly<Record<string, string>>;
  /** What ts-runc says when it refuses. */
  readonly refused?: RegExp;
};

const proc = { destination: "/proc", type: "proc", source: "proc" };
const sys = { destination: "/sys", type: "sysfs", source: "sysfs" };

function bind(destination: string, source: string, ...options: readonly string[]): Entry {
  return { destination, type: "bind", source, options: ["bind", ...options] };
}

function tmpfs(destination: string): Entry {
  return { destination, type: "tmpfs", source: "tmpfs" };
}

const inside = /cannot be mounted because it is inside \/proc/;
const notProc = /cannot be mounted because it is not of type proc/;
const denied = /operation not permitted/;
const network = ["pid", "network"];
const inUser = ["pid", "user"];

/** Of these runc thinks the same. */
const cases: readonly Case[] = [
  { name: "a proc", mounts: [proc] },
  { name: "a proc without source", mounts: [{ destination: "/proc", type: "proc" }] },
  { name: "a proc over a proc", mounts: [proc, proc] },
  { name: "a proc elsewhere", mounts: [proc, { ...proc, destination: "/mnt" }] },
  { name: "a proc of the host's pid namespace", mounts: [proc], namespaces: [] },
  {
    name: "a proc of another user namespace's pid namespace",
    mounts: [proc],
    namespaces: ["user"],
    refused: denied,
  },
  { name: "a proc with options", mounts: [{ ...proc, options: ["hidepid=2", "nosuid", "ro"] }] },
  {
    name: "a proc with an unknown option",
    mounts: [{ ...proc, options: ["wish=2"] }],
    refused: /invalid argument/,
  },
  { name: "the host's proc at /proc", mounts: [bind("/proc", "/proc")] },
  { name: "all of the host's proc at /proc", mounts: [bind("/proc", "/proc", "rbind")] },
  { name: "the host's proc elsewhere", mounts: [proc, bind("/mnt", "/proc")] },
  {
    name: "a file in a proc elsewhere",
    mounts: [proc, bind("/mnt", "/proc"), bind("/mnt/version", file)],
  },
  { name: "a directory at /proc", mounts: [bind("/proc", volume)], refused: notProc },
  { name: "a part of proc at /proc", mounts: [bind("/proc", "/proc/self")], refused: notProc },
  { name: "a tmpfs at /proc", mounts: [proc, tmpfs("/proc")], refused: notProc },
  { name: "a tmpfs at /proc by dots", mounts: [tmpfs("/tmp/../proc/.")], refused: notProc },
  { name: "a sysfs at /proc", mounts: [proc, { ...sys, destination: "/proc" }], refused: notProc },
  {
    name: "cgroups at /proc",
    mounts: [{ destination: "/proc", type: "cgroup", source: "cgroup" }],
    refused: notProc,
  },
  ...[
    ...["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo"],
    ...["sys/kernel/ns_last_pid", "cpuinfo/", "./cpuinfo", "../proc//cpuinfo"],
  ].map((name) => ({
    name: `a file at /proc/${name}`,
    mounts: [proc, bind(`/proc/${name}`, file)],
  })),
  ...[
    ...["version", "net/dev", "self/status", "1/status", "sys/kernel/hostname", "kcore", "absent"],
    ...["self/../version", "sys/fs/binfmt_misc"],
  ].map((name) => ({
    name: `a file at /proc/${name}`,
    mounts: [proc, bind(`/proc/${name}`, file)],
    refused: inside,
  })),
  {
    name: "a directory at /proc/cpuinfo",
    mounts: [proc, bind("/proc/cpuinfo", volume)],
    refused: /not a directory/,
  },
  { name: "a tmpfs in /proc", mounts: [proc, tmpfs("/proc/scsi")], refused: inside },
  {
    name: "a file system in /proc",
    mounts: [proc, { destination: "/proc/sys/fs/binfmt_misc", type: "binfmt_misc" }],
    refused: inside,
  },
  { name: "a sysfs with a network namespace", mounts: [proc, sys], namespaces: network },
  { name: "a sysfs of the host's network", mounts: [proc, sys] },
  { name: "a sysfs of its own user", mounts: [proc, sys], namespaces: [...network, "user"] },
  {
    name: "a sysfs of another user namespace's network",
    mounts: [proc, { ...sys, options: ["nosuid", "noexec", "nodev", "ro"] }],
    namespaces: inUser,
    refused: denied,
  },
  {
    name: "the host's sysfs for another user namespace",
    mounts: [proc, { destination: "/sys", type: "none", source: "/sys", options: ["rbind", "ro"] }],
    namespaces: inUser,
  },
  { name: "the host's sysfs", mounts: [proc, bind("/sys", "/sys", "ro")] },
  { name: "a tmpfs at /sys", mounts: [proc, tmpfs("/sys")] },
  { name: "a directory at /sys", mounts: [proc, bind("/sys", volume)] },
  { name: "a tmpfs in /sys", mounts: [proc, sys, tmpfs("/sys/firmware")] },
  { name: "a file in /sys", mounts: [proc, sys, bind("/sys/kernel/notes", file)] },
  { name: "nothing in /sys", mounts: [proc, sys, tmpfs("/sys/new")], refused: denied },
  {
    name: "a proc at a link",
    mounts: [{ ...proc, destination: "/link" }],
    links: { link: "tmp" },
    refused: /symbolic links/,
  },
  {
    name: "a sysfs at a link",
    mounts: [proc, { ...sys, destination: "/link" }],
    links: { link: "tmp" },
    refused: /symbolic links/,
  },
  {
    name: "a file in /proc through a link",
    mounts: [proc, bind("/link/version", file)],
    links: { link: "proc" },
    refused: inside,
  },
  {
    name: "a directory over /proc through a link",
    mounts: [proc, bind("/link", volume)],
    links: { link: "/proc" },
    refused: inside,
  },
  {
    name: "a tmpfs over /proc through a link",
    mounts: [proc, tmpfs("/link")],
    links: { link: "../../proc" },
    refused: inside,
  },
];

/** These runc mounts, 1.1.5 at least. */
const stricter: readonly Case[] = [
  {
    name: "a file that is allowed in /proc, through a link",
    mounts: [proc, bind("/link/cpuinfo", file)],
    links: { link: "proc" },
    refused: inside,
  },
  {
    name: "a proc behind a link",
    mounts: [proc, { ...proc, destination: "/link/proc" }],
    links: { link: "tmp" },
    refused: /symbolic links/,
  },
];

/** These would need the timing of an image and a volume that work together. */
const hostile: readonly Case[] = [
  {
    name: "a tmpfs over /proc through a link of a volume",
    mounts: [proc, bind("/mnt", volume), tmpfs("/mnt/link")],
    refused: inside,
  },
  {
    name: "a tmpfs over /proc through a link of a volume that lies over a tmpfs, by a link",
    mounts: [proc, tmpfs("/mnt"), bind("/over", volume), tmpfs("/mnt/link")],
    links: { over: "mnt" },
    refused: inside,
  },
  {
    name: "an overlay with long data over /proc through a link",
    mounts: [
      proc,
      {
        destination: "/link",
        type: "overlay",
        source: "overlay",
        options: [`lowerdir=${Array.from({ length: 8 }, () => `${volume}/here`).join(":")}`],
      },
    ],
    links: { link: "proc" },
    refused: inside,
  },
];

const survey = `sed -n 's/^[0-9]* [0-9]* [0-9:]* //; s/:[0-9]*/:N/g; / .\\(proc\\|sys\\|mnt\\|tmp\\)/p' /proc/self/mountinfo`;

function look(runtime: RuntimeName, { mounts, namespaces = ["pid"], links = {} }: Case): Outcome {
  const maps = [{ containerID: 0, hostID: 0, size: 65_536 }];
  const { directory, rootfs } = room.makeBundle({
    mounts,
    process: { args: ["sh", "-c", survey] },
    linux: {
      namespaces: ["mount", ...namespaces].map((type) => ({ type })),
      ...(namespaces.includes("user") ? { uidMappings: maps, gidMappings: maps } : {}),
    },
  });
  mkdirSync(join(rootfs, "mnt"));
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(rootfs, name));
  const outcome = room.runtime(runtime, ["run", "-b", directory, room.newId()]);
  return { ...outcome, stdout: outcome.stdout.replaceAll(directory, "BUNDLE") };
}

function expectOurs(one: Case): Outcome {
  const ours = look("ts-runc", one);
  const { name, refused } = one;
  assert.is(ours.status, refused === undefined ? 0 : 1, `${name}: ${ours.stderr}`);
  if (refused !== undefined) assert.match(logMessages(ours.stderr).join(), refused, name);
  return ours;
}

for (const one of cases) {
  beside(`${one.refused === undefined ? "mounts" : "refuses"} ${one.name}, as runc does`, () => {
    const ours = expectOurs(one);
    const theirs = look("runc", one);
    assert.is(ours.status, theirs.status, theirs.stderr);
    assert.is(ours.stdout, theirs.stdout);
  });
}

for (const one of [...stricter, ...hostile])
  test(`refuses ${one.name}`, () => void expectOurs(one));

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
