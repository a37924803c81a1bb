// Hands the runtime root file systems and configs made to lead it out of the container (the known holes of other runtimes),
// and proves that it refuses or stays inside: nothing outside of the rootfs changes, nothing hangs, nothing is left. Needs root.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultSpec } from "../../src/spec/default-spec.ts";
import type { Outcome } from "../cli/executable.ts";
import { openRoom, runBriefly } from "../support/room.ts";

const test = suite("kernel/attacks");
const room = openRoom("attack");

/** What attacks aim at: it must never change. */
const canary = join(room.directory, "canary");
mkdirSync(join(canary, "self"), { recursive: true });
writeFileSync(join(canary, "file"), "untouched\n");
writeFileSync(join(canary, "passwd"), "root:x:0:0:root:/leaked:/bin/sh\n");
symlinkSync("file", join(canary, "link"));
const untouched = describeTree(canary);

/** Every file below a directory with its type, mode, owner, time and content; links are not followed. */
function describeTree(directory: string, except: readonly string[] = []): readonly string[] {
  return readdirSync(directory)
    .filter((name) => !except.includes(name))
    .sort()
    .flatMap((name) => {
      const path = join(directory, name);
      const stat = lstatSync(path);
      const content = stat.isFile() ? readFileSync(path, "utf8") : "";
      const target = stat.isSymbolicLink() ? readlinkSync(path) : "";
      const line = [path, stat.mode, stat.uid, stat.nlink, stat.mtimeMs, content, target].join(" ");
      return [line, ...(stat.isDirectory() ? describeTree(path) : [])];
    });
}

/** The mounts and paths that engines ask for, so that every feature meets the hostile rootfs. */
const { mounts: usualMounts = [], linux: usualLinux = {} } = defaultSpec({
  rootless: undefined,
  cgroupV2: true,
});
const usual = { mounts: usualMounts, linux: usualLinux };
/** With only /proc mounted, the image's own /dev is what devices are made in. */
const bare = { linux: { namespaces: usualLinux.namespaces } };

type Change = Parameters<typeof room.makeBundle>[0];

type Attack = {
  readonly name: string;
  readonly plant: (rootfs: string) => void;
  readonly change: Change;
  /** How it must end: refused with these words, or the program runs and says this. */
  readonly ends: { readonly refused: RegExp } | { readonly says: RegExp };
};

function link(target: string, ...names: readonly string[]): (rootfs: string) => void {
  return (rootfs) => {
    for (const name of names) {
      rmSync(join(rootfs, name), { recursive: true, force: true });
      symlinkSync(target, join(rootfs, name));
    }
  };
}

function device(name: string, major: number, minor: number): (rootfs: string) => void {
  return (rootfs) => make("mknod", join(rootfs, name), "c", `${major}`, `${minor}`);
}

function fifo(name: string): (rootfs: string) => void {
  return (rootfs) => make("mkfifo", join(rootfs, name));
}

function make(...argv: readonly string[]): void {
  assert.is(runBriefly(["busybox", ...argv]).status, 0);
}

const home = { process: { args: ["sh", "-c", "echo home=$HOME"] } };
const bind = (destination: string): object => ({
  destination,
  type: "bind",
  source: canary,
  options: ["bind", "ro"],
});
const proc = { destination: "/proc", type: "proc", source: "proc" };
const links = /too many levels of symbolic links/;
const nullDevice = /is not the character device 1:3|symbolic links|is a directory/;

const attacks: readonly Attack[] = [
  // CVE-2019-19921, CVE-2023-27561, CVE-2025-54867.
  {
    name: "/proc is a link to the host",
    plant: link(canary, "proc"),
    change: usual,
    ends: { refused: links },
  },
  {
    name: "/proc is a link inside the root",
    plant: link("tmp", "proc"),
    change: usual,
    ends: { refused: links },
  },
  {
    name: "/sys is a link to the host",
    plant: link(canary, "sys"),
    change: usual,
    ends: { refused: links },
  },
  // CVE-2026-41579.
  {
    name: "/dev is a link to the host",
    plant: link(canary, "dev"),
    change: usual,
    ends: { refused: links },
  },
  {
    name: "the image's own /dev is a link to the host",
    plant: link(canary, "dev"),
    change: bare,
    ends: { refused: links },
  },
  {
    name: "/dev/pts is a link to the host",
    plant: link(canary, "dev/pts"),
    change: {
      ...bare,
      mounts: [proc, { destination: "/dev/pts", type: "devpts", source: "devpts" }],
    },
    ends: { says: /^ran$/m },
  },
  {
    name: "/dev/pts is a link to a magic link",
    plant: link("/proc/self/fd/3", "dev/pts"),
    change: {
      ...bare,
      mounts: [proc, { destination: "/dev/pts", type: "devpts", source: "devpts" }],
    },
    ends: { refused: links },
  },
  // CVE-2019-18837, CVE-2021-30465, CVE-2024-45310.
  ...["/mnt", "/mnt/below", "/mnt/a/b/c"].flatMap((destination): readonly Attack[] => [
    {
      name: `the way to ${destination} is an absolute link to the host`,
      plant: link(canary, "mnt"),
      change: { mounts: [proc, bind(destination)] },
      ends: { says: /^ran$/m },
    },
    {
      name: `the way to ${destination} climbs to the host`,
      plant: link(`../../../../../../../../..${canary}`, "mnt"),
      change: { mounts: [proc, bind(destination)] },
      ends: { says: /^ran$/m },
    },
    {
      name: `the way to ${destination} is a magic link`,
      plant: link("/proc/1/root", "mnt"),
      change: { mounts: [proc, bind(destination)] },
      ends: { refused: links },
    },
    {
      name: `the way to ${destination} is a link to itself`,
      plant: link("mnt", "mnt"),
      change: { mounts: [proc, bind(destination)] },
      ends: { refused: links },
    },
  ]),
  {
    name: "a mount point is a dangling link",
    plant: link("/nowhere", "mnt"),
    change: { mounts: [proc, bind("/mnt")] },
    ends: { says: /^ran$/m },
  },
  {
    name: "a mount point goes through a file",
    plant: (rootfs) => writeFileSync(join(rootfs, "mnt"), ""),
    change: { mounts: [proc, bind("/mnt/below")] },
    ends: { refused: /not a directory/ },
  },
  {
    name: "a mount entry climbs out by its own text",
    plant: () => undefined,
    change: { mounts: [proc, bind(`/../../..${canary}/self`)] },
    ends: { says: /^ran$/m },
  },
  // CVE-2025-31133, CVE-2026-88265.
  {
    name: "/dev/null is a link to the host",
    plant: link(join(canary, "file"), "dev/null"),
    change: bare,
    ends: { refused: nullDevice },
  },
  {
    name: "/dev/null is a link into proc",
    plant: link("/proc/sys/kernel/core_pattern", "dev/null"),
    change: bare,
    ends: { refused: nullDevice },
  },
  {
    name: "/dev/null is a file",
    plant: (rootfs) => writeFileSync(join(rootfs, "dev/null"), ""),
    change: bare,
    ends: { refused: nullDevice },
  },
  {
    name: "/dev/null is a fifo",
    plant: fifo("dev/null"),
    change: bare,
    ends: { refused: nullDevice },
  },
  {
    name: "/dev/null is another device",
    plant: device("dev/null", 1, 5),
    change: bare,
    ends: { refused: nullDevice },
  },
  {
    name: "/dev/null is a directory",
    plant: (rootfs) => mkdirSync(join(rootfs, "dev/null")),
    change: bare,
    ends: { refused: nullDevice },
  },
  {
    name: "/dev/null is there already",
    plant: device("dev/null", 1, 3),
    change: bare,
    ends: { says: /^ran$/m },
  },
  {
    name: "a volume at /dev has a link for /dev/null",
    plant: (rootfs) => symlinkSync(join(canary, "file"), join(rootfs, "tmp/null")),
    change: {
      mounts: [
        proc,
        { destination: "/dev", type: "bind", source: "rootfs/tmp", options: ["bind"] },
      ],
    },
    ends: { refused: links },
  },
  {
    name: "a volume at /dev has a file for /dev/null",
    plant: (rootfs) => writeFileSync(join(rootfs, "tmp/null"), ""),
    change: {
      mounts: [
        proc,
        { destination: "/dev", type: "bind", source: "rootfs/tmp", options: ["bind"] },
      ],
    },
    ends: { refused: nullDevice },
  },
  // The links of /dev are made, and ptmx is replaced, through the directory: never through what stands there.
  {
    name: "/dev/ptmx and /dev/fd are links to the host",
    plant: link(join(canary, "file"), "dev/ptmx", "dev/fd", "dev/stdout"),
    change: bare,
    ends: { says: /^ran$/m },
  },
  // What is read with privileges is read carefully.
  {
    name: "/etc/passwd is a fifo",
    plant: fifo("etc/passwd"),
    change: home,
    ends: { says: /^home=\/$/m },
  },
  {
    name: "/etc/passwd is a link to the host",
    plant: link(join(canary, "passwd"), "etc/passwd"),
    change: home,
    ends: { says: /^home=\/$/m },
  },
  {
    name: "/etc/passwd is a link inside the root",
    plant: (rootfs) => {
      mkdirSync(join(rootfs, "usr"));
      writeFileSync(join(rootfs, "usr/passwd"), "root:x:0:0:root:/inside:/bin/sh\n");
      symlinkSync("../../../usr/passwd", join(rootfs, "etc/passwd"));
    },
    change: home,
    ends: { says: /^home=\/inside$/m },
  },
  {
    name: "/etc is a link to the host",
    plant: link(canary, "etc"),
    change: home,
    ends: { says: /^home=\/$/m },
  },
  {
    name: "/etc/passwd is an endless device",
    plant: device("etc/passwd", 1, 5),
    change: home,
    ends: { says: /^home=\/$/m },
  },
  {
    name: "/etc/passwd is a directory",
    plant: (rootfs) => mkdirSync(join(rootfs, "etc/passwd")),
    change: home,
    ends: { says: /^home=\/$/m },
  },
  {
    name: "/etc/passwd is huge",
    plant: (rootfs) => {
      writeFileSync(join(rootfs, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
      truncateSync(join(rootfs, "etc/passwd"), 2 ** 36);
    },
    change: home,
    ends: { says: /^home=\/root$/m },
  },
  // CVE-2024-21626.
  ...[0, 3, 4, 5, 6, 7, 8, 9, 10].map(
    (fd): Attack => ({
      name: `the working directory is /proc/self/fd/${fd}`,
      plant: () => undefined,
      change: { process: { cwd: `/proc/self/fd/${fd}`, args: ["ls", "../../../.."] } },
      ends: {
        refused:
          /symbolic links|no such file or directory|operation not permitted|permission denied/,
      },
    }),
  ),
  {
    name: "the working directory is a link to a descriptor",
    plant: link("/proc/self/fd/4", "work"),
    change: { process: { cwd: "/work", args: ["ls"] } },
    ends: { refused: /symbolic links|no such file or directory|permission denied/ },
  },
  {
    name: "the working directory is a link to the host",
    plant: link("/", "work"),
    change: { process: { cwd: "/work", args: ["ls"] } },
    ends: { says: /^bin\ndev\netc\nproc\nsys\ntmp\nwork$/m },
  },
  // maskedPaths and readonlyPaths.
  {
    name: "a masked path is a link to the host",
    plant: link(join(canary, "file"), "secret"),
    change: { linux: { ...bare.linux, maskedPaths: ["/secret"] } },
    ends: { says: /^ran$/m },
  },
  {
    name: "a masked path is a magic link",
    plant: link("/proc/self/root", "secret"),
    change: { linux: { ...bare.linux, maskedPaths: ["/secret"] } },
    ends: { refused: links },
  },
  {
    name: "a read-only path is a link to the host",
    plant: link(canary, "fixed"),
    change: { linux: { ...bare.linux, readonlyPaths: ["/fixed"] } },
    ends: { says: /^ran$/m },
  },
  // CVE-2019-16884, CVE-2025-52881: the image's own proc.
  {
    name: "the image has a proc of its own, with a link where a sysctl is written",
    plant: (rootfs) => {
      mkdirSync(join(rootfs, "proc/sys/net/ipv4"), { recursive: true });
      symlinkSync(join(canary, "file"), join(rootfs, "proc/sys/net/ipv4/ip_forward"));
      symlinkSync(canary, join(rootfs, "proc/self"));
    },
    change: { mounts: [], linux: { ...bare.linux, sysctl: { "net.ipv4.ip_forward": "1" } } },
    ends: { says: /^ran$/m },
  },
  {
    name: "a mount covers all of proc",
    plant: () => undefined,
    change: { mounts: [proc, bind("/proc")] },
    ends: { refused: /cannot be mounted because it is not of type proc/ },
  },
  {
    name: "a mount covers a file of proc that decides something",
    plant: () => undefined,
    change: { mounts: [proc, bind("/proc/sysrq-trigger")] },
    ends: { refused: /proc/ },
  },
  // CVE-2019-5736: what is executed is the sealed stub, which finds no one to talk to.
  {
    name: "the program is /proc/self/exe",
    plant: () => undefined,
    change: { process: { args: ["/proc/self/exe"] } },
    ends: { refused: /^$/ },
  },
  {
    name: "the interpreter is /proc/self/exe",
    plant: (rootfs) =>
      writeFileSync(join(rootfs, "bin/evil"), "#!/proc/self/exe\n", { mode: 0o755 }),
    change: { process: { args: ["evil"] } },
    ends: { refused: /^$/ },
  },
];

function attempt({ plant, change }: Attack): Outcome {
  const bundle = room.makeBundle({
    ...change,
    process: { args: ["echo", "ran"], ...change?.process },
  });
  plant(bundle.rootfs);
  const beside = describeTree(bundle.directory, ["rootfs"]);
  const outcome = room.tsRunc(["run", "--bundle", bundle.directory, room.newId()]);
  const after = describeTree(bundle.directory, ["rootfs"]);
  assert.equal(after, beside, "the bundle has changed");
  return outcome;
}

for (const attack of attacks) {
  test(`${attack.name}: the runtime stays inside`, () => {
    const { status, stdout, stderr } = attempt(attack);
    assert.equal(describeTree(canary), untouched);
    assert.is.not(status, -1, "it hangs");
    if ("says" in attack.ends) {
      assert.match(stdout, attack.ends.says, stderr);
      assert.is(status, 0, stderr);
    } else {
      assert.is.not(status, 0, stdout);
      assert.match(stderr, attack.ends.refused);
    }
  });
}

test("with --no-pivot, who makes a user namespace may mount no proc with nothing masked", () => {
  const capabilities = ["bounding", "effective", "permitted"].map((set) => [set, ["CAP_SETFCAP"]]);
  const script = "mount -t proc proc /tmp 2>&1 || mount -t sysfs sysfs /tmp 2>&1";
  const bundle = room.makeBundle({
    ...usual,
    linux: {
      namespaces: usualLinux.namespaces,
      maskedPaths: ["/proc/kcore", "/sys/firmware"],
      readonlyPaths: ["/proc/sys"],
    },
    process: {
      args: ["busybox", "unshare", "-mrpnf", "sh", "-c", script],
      capabilities: Object.fromEntries(capabilities),
    },
  });
  for (const options of [[], ["--no-pivot"]]) {
    const argv = ["run", ...options, "--bundle", bundle.directory, room.newId()];
    const { status, stdout, stderr } = room.tsRunc(argv);
    assert.is(status, 1, `${options}: ${stdout}${stderr}`);
    assert.match(
      stdout,
      /^mount: (permission denied|mounting proc .*not permitted).*\n.*(denied|not permitted)/,
    );
  }
  assert.ok(existsSync("/proc/self/stat"), "the host's proc is still there");
});

test("an id that is a path is refused, by every command", () => {
  const { directory } = room.makeBundle();
  const before = readdirSync(room.directory).sort();
  for (const id of ["../x", "..", ".", "a/b", "/etc", "a\nb", "", "a b", "a\\b"]) {
    for (const command of [
      ["create", "--bundle", directory],
      ["run", "--bundle", directory],
      ["state"],
      ["start"],
      ["kill"],
      ["delete"],
      ["delete", "--force"],
    ]) {
      const { status, stderr } = room.tsRunc([...command, id]);
      assert.is(status, 1, `${command[0]} ${JSON.stringify(id)}`);
      assert.match(
        stderr,
        /invalid container ID format|container id cannot be empty/,
        `${command[0]} ${JSON.stringify(id)}`,
      );
    }
  }
  assert.equal(readdirSync(room.directory).sort(), before);
});

test("masked and read-only paths of proc are so inside", () => {
  const script = [
    "for file in /proc/keys /proc/timer_list /proc/kcore; do [ ! -e $file ] || wc -c <$file; done",
    "for file in /proc/sysrq-trigger /proc/sys/kernel/hostname; do echo x >$file && echo written; done",
    "ls /sys/firmware /proc/scsi | grep -v :",
  ];
  const bundle = room.makeBundle({ ...usual, process: { args: ["sh", "-c", script.join("; ")] } });
  const { stdout } = room.tsRunc(["run", "--bundle", bundle.directory, room.newId()]);
  assert.ok(stdout.length > 0);
  assert.equal(
    stdout.split("\n").filter((line) => !/^0?$/.test(line)),
    [],
  );
});

test("nothing of the attacks is left", async () => {
  assert.equal(describeTree(canary), untouched);
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
