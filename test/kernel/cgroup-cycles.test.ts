// Makes and deletes many containers, by the driver and the user of each mode that this machine has, and counts in the kernel and
// in systemd what is left of them. Needs root, which it puts off for some.
//
//   TS_RUNC_CYCLES=1000 [TS_RUNC_CYCLES_OF='cgroup v2'] scripts/bun test/run.ts test/kernel/cgroup-cycles

import { chownSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import { defaultSpec } from "../../src/spec/default-spec.ts";
import { executable, type Outcome } from "../cli/executable.ts";
import { openDelegatedPart } from "../support/delegated-part.ts";
import { countKernel, type KernelCounts } from "../support/kernel-counts.ts";
import { openUser, withLinux } from "../support/ordinary-user.ts";
import { openRoom, runBriefly, slowness } from "../support/room.ts";
import { cgroupVersion, hasSystemd, unitsLeft } from "../support/systemd.ts";

const test = suite("kernel/cgroup-cycles");
const cycles = Number(process.env["TS_RUNC_CYCLES"] ?? (slowness === 1 ? "50" : "5"));
/** A part of the name of the only modes that are tried. */
const only = process.env["TS_RUNC_CYCLES_OF"] ?? "";
const room = openRoom("cycles");
const user = openUser(room);
const { version } = readCgroupHost();
const resources = { pids: { limit: 10 }, memory: { limit: 64 << 20 } };

/** A way to make containers. */
type Mode = {
  readonly name: string;
  /** Makes one by `create`, whose arguments these are, or takes it away. */
  readonly run: (argv: readonly string[]) => Outcome;
  readonly bundle: () => string;
};

function rootsBundle(): string {
  return room.makeBundle({ linux: { resources } }).directory;
}

/** A created container keeps the streams of its runtime, and the files of the tests are not the user's to open. */
function quietly(argv: readonly string[]): string[] {
  return ["sh", "-c", '"$@" </dev/null >/dev/null', "sh", executable, ...argv];
}

const groupless: Mode = {
  name: "by an ordinary user without groups",
  run: (argv) => user.asUser(quietly(argv)),
  bundle: () => user.running(["true"]),
};

const part = hasSystemd ? undefined : openDelegatedPart(user);

/** An ordinary user of machines that have systemd, with a manager of its own. */
const owner = 1000;

const systemdUser: Mode = {
  name: "by an ordinary user's systemd",
  run: (argv) =>
    runBriefly(
      [
        ...["setpriv", `--reuid=${owner}`, `--regid=${owner}`, "--clear-groups"],
        ...quietly(["--systemd-cgroup", ...argv]),
      ],
      { env: { PATH: "/usr/local/bin:/usr/bin:/bin", XDG_RUNTIME_DIR: `/run/user/${owner}` } },
    ),
  bundle: () => {
    const { directory, rootfs } = room.makeBundle();
    const spec = defaultSpec({ rootless: { uid: owner, gid: owner }, cgroupV2: true });
    const process = { cwd: "/", ...spec.process, terminal: false, args: ["true"] };
    const text = JSON.stringify(withLinux({ ...spec, process }, { resources }));
    writeFileSync(join(directory, "config.json"), text);
    chownSync(rootfs, owner, owner);
    return directory;
  },
};

function modesHere(): readonly Mode[] {
  if (hasSystemd) {
    const run = (argv: readonly string[]) => room.tsRunc(["--systemd-cgroup", ...argv]);
    const system = { name: `by systemd, on cgroup ${cgroupVersion}`, run, bundle: rootsBundle };
    return cgroupVersion === "v2" ? [system, systemdUser] : [system];
  }
  const plain = { name: `on cgroup ${version}`, run: room.tsRunc, bundle: rootsBundle };
  if (part === undefined) return [plain, groupless];
  const delegated: Mode = {
    name: "by an ordinary user in a part of the tree that is its own",
    run: (argv) => part.run(quietly(argv)),
    bundle: () => user.running(["true"], (spec) => withLinux(spec, { resources })),
  };
  return [plain, groupless, delegated];
}

/** Whether nobody else can be counted by mistake, and caches may be emptied: on the machines of test/vm. */
const alone = slowness > 1;

/**
 * What has grown, when that has stopped or a while has passed: the kernel takes away in the background. Others on the same host are
 * counted, too, so that there it is growth by half of the number of containers that counts.
 */
async function findGrowth(before: KernelCounts): Promise<readonly string[]> {
  const others = alone ? 0 : Math.floor(cycles / 2);
  // Each processor counts open files by itself and tells of them now and then, by 32 at least; and it keeps the group whose memory
  // it has counted last until it counts another's.
  const perProcessor: Readonly<Record<string, number>> = { "open files": 64, "removed groups": 1 };
  const allowed = (name: string): number =>
    Math.max(others, (perProcessor[name] ?? 0) * availableParallelism());
  for (let tries = 0; ; tries += 1) {
    // Pages of files that the containers' processes have read keep their groups of memory from going.
    if (alone) writeFileSync("/proc/sys/vm/drop_caches", "3");
    const now = countKernel();
    const grown = Object.keys(now).flatMap((name) => {
      const [was = 0, is = 0] = [before[name], now[name]];
      return is > was + allowed(name) ? [`${name}: ${was} before, ${is} behind`] : [];
    });
    if (grown.length === 0 || tries === 100) return grown;
    await Bun.sleep(100);
  }
}

for (const { name, run, bundle: makeBundle } of modesHere()) {
  if (!name.includes(only)) continue;
  test(`${cycles} containers made and deleted ${name} leave nothing`, async () => {
    const bundle = makeBundle();
    const cycle = (): void => {
      const id = room.newId();
      for (const argv of [
        ["create", "--bundle", bundle, id],
        ["delete", "--force", id],
      ]) {
        const { status, stderr } = run(argv);
        assert.is(status, 0, `${argv.join(" ")}: ${stderr}`);
      }
    };
    // What is made once for all (a slice, a directory of states) is no leak.
    cycle();
    const mounts = (): string => readFileSync("/proc/self/mountinfo", "utf8");
    const ownMounts = (): readonly string[] =>
      mounts()
        .split("\n")
        .filter((line) => line.includes(room.directory));
    const [before, mountsBefore] = [countKernel(), ownMounts()];
    for (let count = 0; count < cycles; count += 1) cycle();
    assert.equal(await findGrowth(before), []);
    assert.equal(ownMounts(), mountsBefore);
    await user.expectNothingLeft();
    if (hasSystemd) assert.is(unitsLeft(), "");
  });
}

test("nothing of all this is left", async () => {
  assert.equal(await room.leftovers(), []);
  part?.remove();
  room.remove();
});

test.run();
