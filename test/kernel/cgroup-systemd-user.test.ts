// Containers of an ordinary user who has a systemd of its own: as units of it, and in groups below it, beside Debian's runc. Runs in
// the machine of test/vm that has systemd and cgroup v2. Needs root, which it puts off.

import { chownSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultSpec } from "../../src/spec/default-spec.ts";
import { executable, type Outcome, runc } from "../cli/executable.ts";
import { openRoom, type RuntimeName, runBriefly } from "../support/room.ts";
import { cgroupVersion, hasSystemd, readOf } from "../support/systemd.ts";

const test = suite("kernel/cgroup-systemd-user");
const room = openRoom("systemd-user");
const here = hasSystemd && cgroupVersion === "v2";
if (!here) {
  console.log(
    hasSystemd ? "skip: on cgroup v1 an ordinary user is given no groups" : "skip: no systemd here",
  );
  room.remove();
}
const check = here ? test : test.skip;
const driver = "--systemd-cgroup";
const both: readonly RuntimeName[] = runc === undefined ? ["ts-runc"] : ["ts-runc", "runc"];

const who = 1000;
const session = { PATH: "/usr/local/bin:/usr/bin:/bin", XDG_RUNTIME_DIR: `/run/user/${who}` };
/** What systemd has given to the user. */
const given = `/sys/fs/cgroup/user.slice/user-${who}.slice/user@${who}.service`;

/** Runs a program as the user, in the group of the tests, which is not the user's. */
function asUser(...argv: readonly string[]): Outcome {
  const command = ["setpriv", `--reuid=${who}`, `--regid=${who}`, "--clear-groups", ...argv];
  return runBriefly(command, { env: session });
}

/** The same in a group of the user's, as engines arrange it. */
function inside(...argv: readonly string[]): Outcome {
  return asUser("systemd-run", "--user", "--scope", "--quiet", ...argv);
}

function programOf(runtime: RuntimeName): string {
  return runtime === "runc" ? (runc ?? "runc") : executable;
}

function expectDone({ status, stderr }: Outcome, what: string): void {
  assert.is(status, 0, `${what}: ${stderr}`);
}

function makeBundle(annotations: Readonly<Record<string, string>> = {}): string {
  const { directory, rootfs } = room.makeBundle();
  const spec = defaultSpec({ rootless: { uid: who, gid: who }, cgroupV2: true });
  const linux = { ...spec.linux, resources: { pids: { limit: 31 } } };
  const process = { cwd: "/", ...spec.process, terminal: false, args: ["sleep", "600"] };
  const config = { ...spec, ociVersion: "1.0.2", process, linux, annotations };
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  chownSync(rootfs, who, who);
  return directory;
}

/** A container keeps the streams of its runtime, and the files of the tests are not the user's to open. */
const quietly = ["sh", "-c", '"$@" </dev/null >/dev/null', "sh"];

const life: readonly (readonly string[])[] = [
  ["exec", "ID", "cat", "/proc/self/cgroup"],
  ["ps", "--format", "json", "ID"],
  ["events", "--stats", "ID"],
  ["pause", "ID"],
  ["resume", "ID"],
  ["update", "--pids-limit", "33", "ID"],
  ["exec", "ID", "cat", "/sys/fs/cgroup/pids.max"],
  ["kill", "ID", "KILL"],
];

for (const [name, options, groupOf] of [
  ["a unit of the user's own systemd", [driver], (id: string) => `user.slice/runc-${id}.scope`],
  ["a group below the user's own systemd", [], (id: string) => `app.slice/${id}`],
] as const) {
  check(`${name} holds a container, with its limits, and its life goes as with runc`, () => {
    const bundle = makeBundle();
    const seen = both.map((runtime) => {
      const id = room.newId();
      const group = `${given}/${groupOf(id)}`;
      const run = (...argv: readonly string[]): Outcome =>
        inside(programOf(runtime), ...options, ...argv);
      expectDone(
        inside(...quietly, programOf(runtime), ...options, "run", "-d", "-b", bundle, id),
        runtime,
      );
      assert.is(readOf(`${group}/pids.max`), "31\n", runtime);
      const outcomes = life.map((argv) => run(...argv.map((word) => word.replace(/^ID$/, id))));
      expectDone(run("delete", "--force", id), runtime);
      assert.not(existsSync(group), runtime);
      return {
        statuses: outcomes.map(({ status }) => status),
        exec: outcomes[0]?.stdout,
        inner: outcomes[6]?.stdout,
      };
    });
    const [ours, theirs = ours] = seen;
    assert.equal(ours, {
      statuses: life.map(() => 0),
      // In its own namespace the container's group is the root.
      exec: "0::/\n",
      inner: "33\n",
    });
    assert.equal(theirs, ours);
  });
}

check("groups below the unit are made, too, and exec is where init is", () => {
  const asked = { "run.oci.systemd.subgroup": "sub", "run.oci.delegate-cgroup": "mine" };
  const id = room.newId();
  const bundle = makeBundle(asked);
  expectDone(inside(...quietly, executable, driver, "run", "-d", "-b", bundle, id), "run");
  const unit = `${given}/user.slice/runc-${id}.scope`;
  assert.is(readOf(`${unit}/sub/pids.max`), "31\n");
  assert.is(readOf(`${unit}/sub/mine/pids.max`), "max\n");
  assert.is(inside(executable, "exec", id, "cat", "/proc/self/cgroup").stdout, "0::/mine\n");
  const makes = "mkdir /sys/fs/cgroup/mine/a && echo 1 >/sys/fs/cgroup/mine/a/cgroup.procs";
  // The mount is read-only in this config.
  assert.is(inside(executable, "exec", id, "sh", "-c", makes).status, 1);
  expectDone(inside(executable, "delete", "--force", id), "delete");
  assert.not(existsSync(unit));
});

check("the unit has the properties that root's has, and is gone with its container", () => {
  const id = room.newId();
  const bundle = makeBundle();
  expectDone(asUser(...quietly, executable, driver, "run", "-d", "-b", bundle, id), "run");
  const unit = `runc-${id}.scope`;
  const shown = asUser("systemctl", "--user", "show", unit).stdout;
  assert.match(shown, `ControlGroup=${given.slice("/sys/fs/cgroup".length)}/user.slice/${unit}\n`);
  for (const line of ["TasksMax=31", "Delegate=yes", `Description=libcontainer container ${id}`]) {
    assert.match(shown, `\n${line}\n`);
  }
  expectDone(asUser(executable, "delete", "--force", id), "delete");
  assert.match(asUser("systemctl", "--user", "show", unit).stdout, "\nLoadState=not-found\n");
});

check(
  "from a group that is not the user's exec is refused, where runc's process stays outside",
  () => {
    for (const runtime of both) {
      const id = room.newId();
      const bundle = makeBundle();
      const program = programOf(runtime);
      expectDone(asUser(...quietly, program, driver, "run", "-d", "-b", bundle, id), runtime);
      const outcome = asUser(program, "exec", id, "cat", "/proc/self/cgroup");
      if (runtime === "ts-runc") {
        assert.is(outcome.status, 255);
        assert.match(outcome.stderr, "joining the container's cgroup");
      } else {
        // Seen from the container's group, which it is not in.
        assert.match(outcome.stdout, /^0::(\/\.\.)+\/system\.slice\/bench\.service\//);
      }
      expectDone(asUser(program, "delete", "--force", id), runtime);
    }
  },
);

check("nothing is left", async () => {
  const units = asUser("systemctl", "--user", "list-units", "--all", "--no-legend", "*ts-runc*");
  assert.is(units.stdout, "");
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
