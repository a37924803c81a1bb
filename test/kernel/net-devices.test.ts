// linux.netDevices: devices that are moved into a container with their addresses, and come back when it cannot be made. Pairs
// of virtual devices in a network namespace of the test's own stand for the host's. Needs root.

import { readlinkSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages } from "../cli/executable.ts";
import { openRoom, type Room, runBriefly, until } from "../support/room.ts";

const test = suite("kernel/net-devices");
const room = openRoom("net-devices");
type Change = NonNullable<Parameters<Room["makeBundle"]>[0]>;

/** Holds the namespace in which the devices are, and where the runtime runs. */
const holder = Bun.spawn(["unshare", "--net", "sleep", "1000"], {
  stdio: ["ignore", "ignore", "inherit"],
});
holder.unref();
process.on("exit", () => holder.kill("SIGKILL"));
const own = readlinkSync("/proc/self/ns/net");
await until(() => readlinkSync(`/proc/${holder.pid}/ns/net`) !== own);
const inside = ["nsenter", `--net=/proc/${holder.pid}/ns/net`];

/** Runs iproute2 among the devices. */
function ip(...argv: readonly string[]): string {
  const { status, stdout, stderr } = runBriefly([...inside, "ip", ...argv]);
  assert.is(status, 0, `ip ${argv.join(" ")}: ${stderr}`);
  return stdout;
}

/** Makes a pair and gives the first of it an address of each kind. */
function makeDevice(name: string): void {
  ip("link", "add", name, "type", "veth", "peer", "name", `${name}p`);
  ip("addr", "add", "10.11.12.13/24", "broadcast", "10.11.12.255", "dev", name);
  ip("addr", "add", "169.254.1.1/16", "scope", "link", "dev", name);
  ip("addr", "add", "2001:db8::13/64", "dev", name, "nodad");
  ip("link", "set", name, "up");
}

function addressesOf(name: string): readonly string[] {
  return ip("-o", "addr", "show", "dev", name)
    .split("\n")
    .flatMap((line) => /inet6? (\S+)(?: brd \S+)? scope global/.exec(line)?.[0] ?? []);
}

const namespaces = ["pid", "mount", "network"].map((type) => ({ type }));
const look = "for file in /sys/class/net/*/operstate; do echo $file; done; ip -o addr";

function run(change: Change): { readonly status: number; readonly output: string } {
  const { directory, rootfs } = room.makeBundle({
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/sys", type: "sysfs", source: "sysfs" },
    ],
    ...change,
  });
  Bun.spawnSync(["ln", "-s", "busybox", `${rootfs}/bin/ip`]);
  const argv = [...inside, ...room.command("run", "-b", directory, room.newId())];
  const { status, stdout, stderr } = runBriefly(argv);
  return { status, output: status === 0 ? stdout : logMessages(stderr).join("\n") };
}

const user = {
  uidMappings: [{ containerID: 0, hostID: 100_000, size: 10 }],
  gidMappings: [{ containerID: 0, hostID: 100_000, size: 10 }],
  namespaces: [...namespaces, { type: "user" }],
};

for (const [where, linux, number] of [
  ["", { namespaces }, 1],
  [" with a user namespace", user, 2],
] as const) {
  test(`a device is moved, renamed, and up, with its global addresses${where}`, async () => {
    const name = `moved${number}`;
    makeDevice(name);
    const before = addressesOf(name);
    assert.is(before.length, 2);
    const netDevices = { [name]: { name: "eth0" } };
    const { status, output } = run({
      process: { args: ["sh", "-c", look] },
      mounts: [
        { destination: "/proc", type: "proc", source: "proc" },
        { destination: "/dev", type: "tmpfs", source: "tmpfs" },
        { destination: "/sys", type: "sysfs", source: "sysfs" },
      ],
      linux: { ...linux, netDevices },
    });
    assert.is(status, 0, output);
    assert.match(output, "/sys/class/net/eth0/operstate");
    assert.match(output, /eth0 +inet 10\.11\.12\.13\/24 brd 10\.11\.12\.255 scope global/);
    assert.match(output, /eth0 +inet6 2001:db8::13\/64 scope global/);
    assert.not.match(output, "169.254.1.1");
    assert.not.match(output, name);
    // A virtual device ends with the namespace, and its peer with it, some time later.
    await until(() => !ip("-o", "link").includes(name));
    assert.not.match(ip("-o", "link"), name);
  });
}

test("a device keeps its name without another one, and gets a number for %d", () => {
  for (const name of ["kept", "one", "two"]) makeDevice(name);
  const netDevices = { kept: {}, one: { name: "net%d" }, two: { name: "ring%d" } };
  const { status, output } = run({
    process: { args: ["sh", "-c", look] },
    linux: { namespaces, netDevices },
  });
  assert.is(status, 0, output);
  for (const name of ["kept", "net0", "ring0"]) assert.match(output, `/net/${name}/operstate`);
});

/** Expects that the host's device is as before, and the message. */
function expectBack(change: Change, message: RegExp, ...names: readonly string[]): void {
  const seen = (): readonly unknown[] =>
    names.map((name) => [
      addressesOf(name),
      /[<,](UP)[,>]/.exec(ip("-o", "link", "show", "dev", name))?.[1],
    ]);
  const before = seen();
  const { status, output } = run(change);
  assert.is(status, 1);
  assert.ok(message.test(output), output);
  assert.equal(seen(), before);
}

test("devices come back when one of them cannot be moved", () => {
  for (const name of ["first", "second"]) makeDevice(name);
  ip("link", "set", "second", "down");
  expectBack(
    { linux: { namespaces, netDevices: { first: {}, absent: { name: "eth1" } } } },
    /moving the network device absent into the container as eth1 \(linux\.netDevices\): rtnetlink: no such device/,
    "first",
  );
  // The loopback device is there already.
  expectBack(
    { linux: { namespaces, netDevices: { first: {}, second: { name: "lo" } } } },
    /moving the network device second into the container as lo \(linux\.netDevices\): rtnetlink: file exists/,
    ...["first", "second"],
  );
});

test("devices come back when the container cannot be made", () => {
  makeDevice("back");
  expectBack(
    {
      process: { args: ["absent"] },
      linux: { namespaces, netDevices: { back: { name: "eth0" } } },
    },
    /executable file not found/,
    "back",
  );
});

test("devices that cannot be meant are refused with property, value and rule", () => {
  for (const [linux, message] of [
    [
      { namespaces: namespaces.slice(0, 2), netDevices: { eth0: {} } },
      /\/linux\/netDevices: unable to move network devices without a private NET namespace/,
    ],
    [
      { namespaces, netDevices: { "a/b": {} } },
      /\/linux\/netDevices\/a~1b: invalid network device name "a\/b"/,
    ],
    [
      { namespaces, netDevices: { eth0: { name: "sixteen-letters-" } } },
      /\/linux\/netDevices\/eth0: invalid network device name "sixteen-letters-"/,
    ],
    [
      { namespaces, netDevices: { a: { name: "b" }, b: {} } },
      /\/linux\/netDevices: gives two devices the same name/,
    ],
  ] as const) {
    const { status, output } = run({ linux });
    assert.is(status, 1);
    assert.match(output, message);
  }
});

test("nothing is left", async () => {
  holder.kill("SIGKILL");
  await until(() => (holder.exitCode ?? holder.signalCode) !== null);
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
