// What the systemd driver does when systemd refuses, fails, hangs or goes away, and where it looks for it: with a systemd that plays
// scenarios, so that it runs anywhere. What the real one does is in cgroup-systemd.test.ts. Needs root.

import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { executable, type Outcome } from "../cli/executable.ts";
import { listenAsSystemd, type Reply, type Scenario } from "../support/fake-systemd.ts";
import { openUser } from "../support/ordinary-user.ts";
import { openRoom } from "../support/room.ts";

const test = suite("kernel/cgroup-systemd-troubles");
// Each ts-runc whose waits are short runs from its source, which takes seconds on an emulated processor.
const inMachine = process.env["TS_RUNC_MACHINE"] !== undefined;
if (inMachine) console.log("skip: the machines of test/vm have the real systemd, or none");
const here = inMachine ? test.skip : test;
const room = openRoom("systemd-troubles");
const user = openUser(room);
const source = join(import.meta.dir, "../../src/main.ts");
const driver = "--systemd-cgroup";
const bus = join(room.directory, "bus");
const systemd = await listenAsSystemd(bus);
// An ordinary user calls it, too.
chmodSync(bus, 0o777);

/** Has every wait of the runtime take a hundredth of its time. */
const hurry = join(room.directory, "hurry.ts");
writeFileSync(
  hurry,
  "const wait = setTimeout; globalThis.setTimeout = (f, ms, ...rest) => wait(f, ms / 100, ...rest);",
);

type Surroundings = {
  /** What is done before, in a mount namespace with an empty /run. */
  readonly before?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs the source, whose waits are short. */
  readonly hurried?: true;
  readonly user?: true;
};

/** Runs ts-runc where systemd seems to be process 1. */
async function run(argv: readonly string[], around: Surroundings = {}): Promise<Outcome> {
  const { before = ":", env = { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${bus}` } } = around;
  const program =
    around.hurried === true ? [process.execPath, "--preload", hurry, source] : [executable];
  const isUser = around.user === true;
  const state = join(isUser ? user.runtimeDirectory : room.directory, "state");
  const script = `mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && ${before} && exec "$@"`;
  const command = [...program, "--root", state, ...argv];
  const [out, err] = [join(room.directory, "out"), join(room.directory, "err")];
  for (const path of [out, err]) writeFileSync(path, "");
  const child = Bun.spawn(
    [
      ...["/usr/bin/unshare", "--mount", "sh", "-c", script, "sh"],
      ...(isUser ? user.commandOf(command) : command),
    ],
    {
      cwd: room.directory,
      env: { PATH: process.env["PATH"] ?? "", ...env },
      stdio: ["ignore", Bun.file(out), Bun.file(err)],
      timeout: 60_000,
    },
  );
  const status = await child.exited;
  return { status, stdout: readFileSync(out, "utf8"), stderr: readFileSync(err, "utf8") };
}

/** A bundle, and the name of its unit, which is at the top of the tree: slices would stay. */
function makeBundle(id: string): { readonly directory: string; readonly unit: string } {
  const { directory } = room.makeBundle({
    process: { args: ["sleep", "600"] },
    linux: { cgroupsPath: `-.slice:${id}:unit`, resources: { pids: { limit: 20 } } },
  });
  return { directory, unit: `${id}-unit.scope` };
}

async function createWith(scenario: Scenario, around: Surroundings = {}): Promise<Outcome> {
  systemd.play(scenario);
  const id = room.newId();
  const { directory, unit } = makeBundle(id);
  const outcome = await run([driver, "create", "--bundle", directory, id], around);
  assert.equal(await room.leftovers(), []);
  assert.not(existsSync(join(room.directory, "state", id)), "its directory is left");
  return { ...outcome, stderr: outcome.stderr.replaceAll(unit, "UNIT") };
}

const denied: Reply = {
  error: "org.freedesktop.DBus.Error.AccessDenied",
  words: "Interactive authentication required.",
};
const exists: Reply = { error: "org.freedesktop.systemd1.UnitExists", words: "Unit is there." };
const noUnit: Reply = { error: "org.freedesktop.systemd1.NoSuchUnit", words: "Unit not loaded." };

here("a container is made, and its unit is stopped and reset when it is deleted", async () => {
  systemd.play({});
  const id = room.newId();
  const { directory, unit } = makeBundle(id);
  const created = await run([driver, "create", "--bundle", directory, id]);
  assert.is(created.status, 0, created.stderr);
  assert.equal(systemd.members(), ["Get", "StartTransientUnit", "SetUnitProperties"]);
  const [, start] = systemd.asked().filter(({ member }) => !/Hello|AddMatch/.test(member));
  assert.equal(start?.body.slice(0, 2), [unit, "replace"]);
  systemd.play({});
  const deleted = await run(["delete", "--force", id]);
  assert.equal(deleted, { status: 0, stdout: "", stderr: "" });
  assert.equal(systemd.members(), ["StopUnit", "ResetFailedUnit"]);
  assert.equal(await room.leftovers(), []);
});

here("a unit that systemd refuses is no container, and nothing is left", async () => {
  const { status, stderr } = await createWith({ StartTransientUnit: [denied] });
  assert.is(status, 1);
  assert.match(stderr, "unable to change unit UNIT: Interactive authentication required.");
  assert.equal(systemd.members(), ["Get", "StartTransientUnit"]);
});

here("a unit that is there is reset once, and tried again once", async () => {
  const { status, stderr } = await createWith({ StartTransientUnit: [exists, exists] });
  assert.is(status, 1);
  assert.match(stderr, "unable to change unit UNIT: Unit is there.");
  assert.equal(systemd.members(), [
    "Get",
    "StartTransientUnit",
    "ResetFailedUnit",
    "StartTransientUnit",
  ]);
});

for (const result of ["failed", "canceled", "timeout", "dependency", "skipped"]) {
  here(`a job that ends as ${result} is no container, and its unit is reset`, async () => {
    const { status, stderr } = await createWith({ StartTransientUnit: [{ job: result }] });
    assert.is(status, 1);
    assert.match(stderr, `error creating systemd unit \`UNIT\`: got \`${result}\``);
    assert.equal(systemd.members(), ["Get", "StartTransientUnit", "ResetFailedUnit"]);
  });
}

here("properties that systemd refuses undo the container, whose unit is stopped", async () => {
  const { status, stderr } = await createWith({ SetUnitProperties: [denied] });
  assert.is(status, 1);
  assert.match(stderr, "unable to set unit properties: Interactive authentication required.");
  assert.equal(systemd.members().slice(-2), ["StopUnit", "ResetFailedUnit"]);
});

here("a systemd that goes away, at whatever call, leaves nothing of ours", async () => {
  for (const member of ["Hello", "Get", "StartTransientUnit", "SetUnitProperties"]) {
    const { status, stderr } = await createWith({ [member]: ["end"] });
    assert.is(status, 1, member);
    assert.match(stderr, "talking to systemd on the system bus: the connection was closed", member);
  }
});

here(
  "a systemd that does not answer, or does not end its job, is waited for so long and no longer",
  async () => {
    const around = { hurried: true } as const;
    const silent = await createWith({ StartTransientUnit: ["silence"] }, around);
    assert.is(silent.status, 1);
    assert.match(silent.stderr, "talking to systemd on the system bus: no answer within 30 s");
    const endless = await createWith({ StartTransientUnit: [{ job: undefined }] }, around);
    assert.is(endless.status, 1);
    assert.match(endless.stderr, "Timeout waiting for systemd to create UNIT");
    assert.equal(systemd.members().at(-1), "ResetFailedUnit");
  },
);

here(
  "delete goes on when the unit has gone or cannot be stopped, and says so, but not when nobody answers",
  async () => {
    const deleteWith = async (scenario: Scenario): Promise<Outcome> => {
      systemd.play({});
      const id = room.newId();
      const { directory, unit } = makeBundle(id);
      assert.is((await run([driver, "create", "--bundle", directory, id])).status, 0);
      systemd.play(scenario);
      const outcome = await run(["delete", "--force", id], { hurried: true });
      if (outcome.status !== 0) {
        systemd.play({});
        assert.is((await run(["delete", "--force", id])).status, 0, "the second time it works");
      }
      assert.equal(await room.leftovers(), []);
      return { ...outcome, stderr: outcome.stderr.replaceAll(unit, "UNIT") };
    };
    const gone = await deleteWith({ StopUnit: [noUnit], ResetFailedUnit: [noUnit] });
    assert.equal(gone, { status: 0, stdout: "", stderr: "" });
    const failed = await deleteWith({ StopUnit: [{ job: "failed" }] });
    assert.is(failed.status, 0);
    assert.match(failed.stderr, "error removing unit `UNIT`: got `failed`. Continuing...");
    const endless = await deleteWith({ StopUnit: [{ job: undefined }] });
    assert.is(endless.status, 1);
    assert.match(endless.stderr, "Timed out while waiting for systemd to remove UNIT");
  },
);

here(
  "the bus is where DBUS_SYSTEM_BUS_ADDRESS says, or else where it always is, or else systemd's own socket",
  async () => {
    const works = async (around: Surroundings): Promise<void> => {
      const { status, stderr } = await createWith({ StartTransientUnit: [denied] }, around);
      assert.is(status, 1);
      assert.match(stderr, "Interactive authentication required", JSON.stringify(around));
    };
    const greeted = (): boolean => systemd.asked().some(({ member }) => member === "Hello");
    const link = (path: string): string => `mkdir -p $(dirname ${path}) && ln -s ${bus} ${path}`;
    for (const address of [
      `unix:path=${bus}`,
      `unix:path=${bus.replace("bus", "%62us")},guid=1234`,
      `tcp:host=localhost,port=1;unix:guid=1234,path=${bus}`,
    ]) {
      await works({ env: { DBUS_SYSTEM_BUS_ADDRESS: address } });
      assert.ok(greeted(), address);
    }
    await works({ env: {}, before: link("/run/dbus/system_bus_socket") });
    assert.ok(greeted());
    await works({ env: {}, before: link("/run/systemd/private") });
    assert.not(greeted(), "nobody but systemd is at its own socket");
  },
);

here("an address without a unix socket, and a socket without anybody, are named", async () => {
  const fails = async (address: string): Promise<string> => {
    const { status, stderr } = await createWith({}, { env: { DBUS_SYSTEM_BUS_ADDRESS: address } });
    assert.is(status, 1);
    return stderr;
  };
  assert.match(
    await fails("tcp:host=localhost,port=1"),
    "DBUS_SYSTEM_BUS_ADDRESS=tcp:host=localhost,port=1 names no unix socket",
  );
  assert.match(await fails("unix:path=/nowhere/bus"), /on the system bus: .*ENOENT/);
});

here(
  "an ordinary user's systemd is at DBUS_SESSION_BUS_ADDRESS, or else in XDG_RUNTIME_DIR",
  async () => {
    const bundle = user.running(["true"]);
    const tryWith = async (env: Readonly<Record<string, string>>): Promise<string> => {
      systemd.play({ StartTransientUnit: [denied] });
      const argv = [driver, "create", "--bundle", bundle, room.newId()];
      const { status, stderr } = await run(argv, { user: true, env });
      assert.is(status, 1);
      return stderr;
    };
    const words = "Interactive authentication required";
    assert.match(await tryWith({ DBUS_SESSION_BUS_ADDRESS: `unix:path=${bus}` }), words);
    const XDG_RUNTIME_DIR = user.runtimeDirectory;
    symlinkSync(bus, join(XDG_RUNTIME_DIR, "bus"));
    assert.match(await tryWith({ XDG_RUNTIME_DIR }), words);
    assert.equal(systemd.members(), ["Get", "Get", "StartTransientUnit"]);
    assert.match(await tryWith({}), "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set");
  },
);

test.after(async () => {
  systemd[Symbol.dispose]();
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
