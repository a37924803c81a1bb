// Checks the imitation of older kernels (test/vm/old-kernel.ts) that other tests rely on. Needs root.

import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { oldKernelObstacle, syscallNumbers, withoutCalls } from "../vm/old-kernel.ts";

const test = suite("kernel/old-kernel");
const obstacle = oldKernelObstacle();
if (obstacle !== undefined) console.log(`skip: ${obstacle}`);
const check = obstacle === undefined ? test : test.skip;

const ENOSYS = 38;
const probe = [process.execPath, join(import.meta.dir, "../vm/fixtures/probe-calls.ts")];

/** The calls that fail with ENOSYS under the filter. */
function missingCalls(argv: readonly string[]): readonly string[] {
  const child = Bun.spawnSync([...argv], { stdin: "ignore" });
  assert.is(child.exitCode, 0, child.stderr.toString());
  const errnos: unknown = JSON.parse(child.stdout.toString());
  assert.type(errnos, "object");
  return Object.entries(errnos ?? {})
    .filter(([, errno]) => errno === ENOSYS)
    .map(([name]) => name);
}

check("withoutCalls() makes the named calls fail with ENOSYS, and no other", () => {
  const missing = missingCalls(probe);
  const names = ["mount_setattr", "openat2"];
  assert.not.ok(names.some((name) => missing.includes(name)));
  const expected = [...syscallNumbers.keys()].filter(
    (name) => names.includes(name) || missing.includes(name),
  );
  assert.equal(missingCalls(withoutCalls(names, probe)), expected);
});

check("withoutCalls() holds for children, and Bun itself runs without any of the calls", () => {
  const names = [...syscallNumbers.keys()];
  assert.equal(
    missingCalls(withoutCalls(names, ["sh", "-c", '"$@"; exit $?', "sh", ...probe])),
    names,
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

test("withoutCalls() refuses a call whose number it does not know", () => {
  assert.throws(() => withoutCalls(["openat3"], ["true"]), /no number is known/);
});

test.run();
