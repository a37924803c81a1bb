// Checks the imitation of older kernels (test/vm/old-kernel.ts) that other tests rely on. Needs root.

import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type SyscallName, syscallNumber } from "../../src/abi/syscall-numbers.ts";
import { oldKernelObstacle, withoutCalls } from "../vm/old-kernel.ts";

const test = suite("kernel/old-kernel");
const obstacle = oldKernelObstacle();
if (obstacle !== undefined) console.log(`skip: ${obstacle}`);
const check = obstacle === undefined ? test : test.skip;

const ENOSYS = 38;
/** The calls that a kernel may lack; all refuse arguments of -1. */
const lateCalls: readonly SyscallName[] = [
  "clone3",
  "close_range",
  "faccessat2",
  "fchmodat2",
  "fsconfig",
  "fsmount",
  "fsopen",
  "memfd_create",
  "mount_setattr",
  "move_mount",
  "open_tree",
  "openat2",
  "pidfd_open",
  "pidfd_send_signal",
];
const probe = [
  process.execPath,
  join(import.meta.dir, "../vm/fixtures/probe-calls.ts"),
  ...lateCalls.map((name) => String(syscallNumber(name))),
];

/** The calls that fail with ENOSYS under the filter. */
function missingCalls(argv: readonly string[]): readonly SyscallName[] {
  const child = Bun.spawnSync([...argv], { stdin: "ignore" });
  assert.is(child.exitCode, 0, child.stderr.toString());
  const errnos: unknown = JSON.parse(child.stdout.toString());
  assert.type(errnos, "object");
  const missing = new Map(Object.entries(errnos ?? {}));
  return lateCalls.filter((name) => missing.get(String(syscallNumber(name))) === ENOSYS);
}

check("withoutCalls() makes the named calls fail with ENOSYS, and no other", () => {
  const missing = missingCalls(probe);
  const names: readonly SyscallName[] = ["mount_setattr", "openat2"];
  assert.not.ok(names.some((name) => missing.includes(name)));
  const expected = lateCalls.filter((name) => names.includes(name) || missing.includes(name));
  assert.equal(missingCalls(withoutCalls(names, probe)), expected);
});

check("withoutCalls() holds for children, and Bun itself runs without any of the calls", () => {
  assert.equal(
    missingCalls(withoutCalls(lateCalls, ["sh", "-c", '"$@"; exit $?', "sh", ...probe])),
    lateCalls,
  );
});

check("withoutCalls() changes nothing else that the command sees", () => {
  const script =
    'grep -E "^(NoNewPrivs|Seccomp|CapEff|Sig(Blk|Ign)):" /proc/self/status; cat; echo "$0$1"; exit 7';
  const argv = ["sh", "-c", script, "a b", ""];
  const spawn = (command: readonly string[]) =>
    Bun.spawnSync([...command], { stdin: Buffer.from("input\n") });
  const [plain, filtered] = [spawn(argv), spawn(withoutCalls(["openat2"], argv))];
  assert.is(filtered.exitCode, 7);
  assert.is(
    filtered.stdout.toString(),
    plain.stdout.toString().replace("Seccomp:\t0", "Seccomp:\t2"),
  );
});

check("withoutCalls() reports a command that cannot be executed", () => {
  const child = Bun.spawnSync(withoutCalls(["openat2"], ["/no/such/program"]));
  assert.is(child.exitCode, 127);
  assert.match(child.stderr.toString(), 'old-kernel: execvp "/no/such/program": errno 2');
});

test.run();
