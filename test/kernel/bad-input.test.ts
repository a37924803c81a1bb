// Gives the built executable configs, bundles and state roots that cannot work: each is a clear error with exit code 1, and
// nothing is left. Needs root.

import {
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { expectRefusal } from "../support/refusal.ts";
import { type Bundle, openRoom, runBriefly } from "../support/room.ts";

const test = suite("kernel/bad-input");
const room = openRoom("bad");

type Case = {
  readonly name: string;
  readonly change?: Parameters<typeof room.makeBundle>[0];
  readonly spoil?: (bundle: Bundle) => void;
  readonly message: RegExp;
};

function config(text: string | Uint8Array): (bundle: Bundle) => void {
  return ({ directory }) => writeFileSync(join(directory, "config.json"), text);
}

const namespaces = [{ type: "pid" }, { type: "mount" }];
const linuxWith = (linux: object): { readonly linux: object } => ({
  linux: { namespaces, ...linux },
});

const cases: readonly Case[] = [
  {
    name: "no config.json",
    spoil: ({ directory }) => rmSync(join(directory, "config.json")),
    message: /JSON specification file config\.json not found/,
  },
  { name: "an empty config.json", spoil: config(""), message: /config\.json/ },
  { name: "a config.json that is no JSON", spoil: config("{"), message: /config\.json/ },
  {
    name: "a config.json with a comma too many",
    spoil: config('{"a":1,}'),
    message: /config\.json/,
  },
  {
    name: "a config.json of other bytes",
    spoil: config(new Uint8Array([0, 255, 254])),
    message: /config\.json/,
  },
  { name: "a config.json that is a list", spoil: config("[]"), message: /config\.json/ },
  { name: "a config.json that is null", spoil: config("null"), message: /config\.json/ },
  {
    name: "a config.json nested too deeply",
    spoil: config("[".repeat(200_000)),
    message: /config\.json/,
  },
  {
    name: "a config.json that is a directory",
    spoil: ({ directory }) => {
      rmSync(join(directory, "config.json"));
      mkdirSync(join(directory, "config.json"));
    },
    message: /config\.json.*is a directory/,
  },
  {
    name: "a config.json that is larger than any should be",
    spoil: ({ directory }) => truncateSync(join(directory, "config.json"), 2 ** 36),
    message: /larger than/,
  },
  {
    name: "a config.json that is a fifo",
    spoil: ({ directory }) => {
      rmSync(join(directory, "config.json"));
      assert.is(runBriefly(["busybox", "mkfifo", join(directory, "config.json")]).status, 0);
    },
    message: /config\.json/,
  },
  { name: "args that are a text", change: { process: { args: "sh" } }, message: /\/process\/args/ },
  {
    name: "a uid that is a text",
    change: { process: { user: { uid: "0", gid: 0 } } },
    message: /\/process\/user\/uid/,
  },
  { name: "no args", change: { process: { args: [] } }, message: /args/ },
  { name: "a relative working directory", change: { process: { cwd: "tmp" } }, message: /cwd/ },
  { name: "an unknown version", change: { ociVersion: "2.0.0" }, message: /ociVersion|2\.0\.0/ },
  {
    name: "an unknown namespace",
    change: linuxWith({ namespaces: [{ type: "space" }] }),
    message: /namespaces/,
  },
  {
    name: "a namespace that is listed twice",
    change: linuxWith({ namespaces: [...namespaces, ...namespaces] }),
    message: /namespace/,
  },
  {
    name: "a namespace path of the wrong type",
    change: linuxWith({
      namespaces: [...namespaces, { type: "network", path: "/proc/self/ns/uts" }],
    }),
    message: /uts is no network namespace, it is of another type/,
  },
  {
    name: "a namespace path that does not exist",
    change: linuxWith({
      namespaces: [...namespaces, { type: "network", path: "/run/netns/nowhere" }],
    }),
    message: /network namespace .*no such file or directory/,
  },
  {
    name: "an unknown limit",
    change: { process: { rlimits: [{ type: "RLIMIT_WISHES", soft: 1, hard: 1 }] } },
    message: /RLIMIT_WISHES|rlimits/,
  },
  {
    name: "a soft limit above the hard one",
    change: { process: { rlimits: [{ type: "RLIMIT_NOFILE", soft: 20, hard: 10 }] } },
    message: /RLIMIT_NOFILE|rlimit/i,
  },
  {
    name: "a sysctl of the host",
    change: linuxWith({ sysctl: { "kernel.panic": "1" } }),
    message: /kernel\.panic/,
  },
  {
    name: "a hostname without a uts namespace",
    change: { hostname: "x", ...linuxWith({}) },
    message: /uts|UTS/,
  },
  {
    name: "a mount of an unknown type",
    change: { mounts: [{ destination: "/mnt", type: "nofs", source: "x" }] },
    message: /error mounting "x" to rootfs at "\/mnt": .*no such device/,
  },
  {
    name: "a bind mount of nothing",
    change: {
      mounts: [{ destination: "/mnt", type: "bind", source: "/nowhere", options: ["bind"] }],
    },
    message: /error mounting "\/nowhere" to rootfs at "\/mnt": .*no such file/,
  },
  {
    name: "a tmpfs with an option that it does not know",
    change: {
      mounts: [{ destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["wishes=3"] }],
    },
    message: /error mounting "tmpfs" to rootfs at "\/mnt": .*invalid argument/,
  },
  {
    name: "a rootfs that is missing",
    spoil: ({ rootfs }) => rmSync(rootfs, { recursive: true }),
    message: /rootfs .*does not exist/,
  },
  {
    name: "a rootfs that is a link",
    spoil: ({ rootfs }) => {
      renameSync(rootfs, `${rootfs}.real`);
      symlinkSync(`${rootfs}.real`, rootfs);
    },
    message: /rootfs .*must not be a symbolic link/,
  },
  {
    name: "a rootfs that is a file",
    spoil: ({ rootfs }) => {
      rmSync(rootfs, { recursive: true });
      writeFileSync(rootfs, "");
    },
    message: /rootfs .*is not a directory/,
  },
  { name: "an empty rootfs path", change: { root: { path: "" } }, message: /root/ },
  {
    name: "a limit that the kernel refuses",
    change: linuxWith({ resources: { cpu: { quota: 10, period: 100000 } } }),
    message: /cpu/,
  },
];

for (const { name, change, spoil, message } of cases) {
  test(`create and run refuse ${name}`, async () => {
    const bundle = room.makeBundle(change);
    spoil?.(bundle);
    for (const command of ["create", "run"]) {
      const outcome = room.tsRunc([command, "--bundle", bundle.directory, room.newId()]);
      expectRefusal(outcome, message);
      assert.match(outcome.stderr, new RegExp(`runc ${command} failed: `));
    }
    assert.equal(await room.leftovers(), []);
  });
}

test("create refuses an id that is taken, and does not touch its container", () => {
  const bundle = room.makeBundle({ process: { args: ["sleep", "1000"] } });
  const id = room.newId();
  assert.is(room.tsRunc(["create", "--bundle", bundle.directory, id]).status, 0);
  const before = room.state(id);
  const again = room.tsRunc(["create", "--bundle", bundle.directory, id]);
  expectRefusal(again, /container with given ID already exists/);
  assert.equal(room.state(id), before);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

test("create in a state root that is full leaves nothing there", async () => {
  const state = join(room.directory, "small");
  mkdirSync(state);
  assert.is(runBriefly(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", state]).status, 0);
  try {
    const bundle = room.makeBundle();
    for (const leftBytes of [0, 4096, 8192]) {
      const filler = join(state, "filler");
      // Fails with ENOSPC by design, which is how it fills.
      runBriefly(["busybox", "dd", "if=/dev/zero", `of=${filler}`, "bs=4096"]);
      truncateSync(filler, 65536 - leftBytes);
      const id = room.newId();
      const outcome = room.tsRunc(["--root", state, "create", "--bundle", bundle.directory, id]);
      if (leftBytes === 0) expectRefusal(outcome, /no space left on device/);
      if (outcome.status === 0) room.tsRunc(["--root", state, "delete", "--force", id]);
      assert.equal(readdirSync(state), ["filler"], `${leftBytes} bytes left`);
    }
  } finally {
    assert.is(runBriefly(["umount", state]).status, 0);
  }
  assert.equal(await room.leftovers(), []);
});

test("a state root and a pid file that cannot be made are errors", async () => {
  const bundle = room.makeBundle();
  const file = join(room.directory, "a-file");
  writeFileSync(file, "");
  const below = join(file, "state");
  const made = room.tsRunc(["--root", below, "create", "--bundle", bundle.directory, room.newId()]);
  expectRefusal(made, /not a directory/);
  const pidFile = join(room.directory, "nowhere/pid");
  const argv = ["create", "--pid-file", pidFile, "--bundle", bundle.directory, room.newId()];
  expectRefusal(room.tsRunc(argv), /no such file or directory/);
  assert.equal(await room.leftovers(), []);
});

test("a damaged state.json is an error, but for delete --force", () => {
  const bundle = room.makeBundle();
  for (const text of ["", "{", "[]", "{}", '{"tsRunc":{"formatVersion":99}}', "null"]) {
    const id = room.newId();
    mkdirSync(join(room.directory, "state", id), { recursive: true });
    writeFileSync(join(room.directory, "state", id, "state.json"), text);
    for (const command of [["state"], ["start"], ["kill"], ["delete"]]) {
      expectRefusal(room.tsRunc([...command, id]), /state\.json/);
    }
    assert.is(room.tsRunc(["list"]).status, 0);
    const taken = room.tsRunc(["create", "--bundle", bundle.directory, id]);
    expectRefusal(taken, /container with given ID already exists/);
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
    assert.is(room.state(id), undefined);
  }
});

test("nothing of the refused is left", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
