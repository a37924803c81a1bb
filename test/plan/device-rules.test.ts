import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FaultError } from "../../src/base/fault.ts";
import { wordFaultError } from "../../src/base/word-fault.ts";
import { settleDevicePolicy, wordDevicePolicy, wordMatch } from "../../src/plan/device-rules.ts";
import type { DeviceRule } from "../../src/spec/resources.ts";

const test = suite("plan/device-rules");

const denyAll: DeviceRule = { allow: false, access: "rwm" };
const allowAll: DeviceRule = { allow: true, access: "rwm" };
const builtInLines = [
  ...["b *:* m", "c *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm"],
  ...["c 5:0 rwm", "c 136:* rwm", "c 5:2 rwm", "c 10:200 rwm"],
];

/** The lines without the built-in ones, each with a letter for its file: `-a`, `+c 1:3 rw`. */
function lines(rules: readonly DeviceRule[]): string[] {
  return wordDevicePolicy(settleDevicePolicy(rules))
    .map(({ file, value }) => `${file === "devices.allow" ? "+" : "-"}${value}`)
    .filter((line) => !builtInLines.includes(line.slice(1)) || line.startsWith("-"));
}

test("wordDevicePolicy() denies all and allows the built-in nodes when the config has no rules", () => {
  for (const rules of [[], [denyAll], [denyAll, denyAll], [allowAll, denyAll]]) {
    assert.equal(wordDevicePolicy(settleDevicePolicy(rules)), [
      { file: "devices.deny", value: "a" },
      ...builtInLines.map((value) => ({ file: "devices.allow", value }) as const),
    ]);
  }
});

test("wordDevicePolicy() allows all in one line", () => {
  const wildcards: DeviceRule = { allow: true, type: "a", major: -1, minor: -1, access: "mrw" };
  for (const rules of [[allowAll], [wildcards], [denyAll, { allow: true }]]) {
    assert.equal(wordDevicePolicy(settleDevicePolicy(rules)), [
      { file: "devices.allow", value: "a" },
    ]);
  }
});

test("wordDevicePolicy() keeps the order of rules that meet", () => {
  const block = (allow: boolean, access: string): DeviceRule => ({
    allow,
    type: "b",
    major: 8,
    minor: 0,
    access,
  });
  assert.equal(lines([denyAll, block(true, "rw"), block(false, "w")]), ["-a", "+b 8:0 r"]);
  assert.equal(lines([denyAll, block(false, "w"), block(true, "rw")]), ["-a", "+b 8:0 rw"]);
  assert.equal(lines([allowAll, block(false, "rw")]), ["+a", "-b 8:0 rw"]);
  assert.equal(lines([allowAll, block(false, "rw"), block(true, "r")]), ["+a", "-b 8:0 w"]);
});

test("wordDevicePolicy() writes no rule that another one says already", () => {
  const rule = (minor: number, access: string): DeviceRule => ({
    allow: true,
    type: "c",
    major: 4,
    minor,
    access,
  });
  assert.equal(lines([denyAll, rule(1, "r"), rule(1, "w")]), ["-a", "+c 4:1 rw"]);
  assert.equal(lines([denyAll, rule(1, "r"), rule(-1, "rw"), rule(2, "w")]), ["-a", "+c 4:* rw"]);
  const whole: DeviceRule = { allow: false, type: "c", major: 4, access: "rwm" };
  assert.equal(lines([denyAll, rule(1, "rw"), whole]), ["-a"]);
});

test("wordDevicePolicy() joins reading and writing of rules that meet, since v1 wants one for both", () => {
  const narrow: DeviceRule = { allow: true, type: "c", major: 4, minor: 1, access: "w" };
  const wide: DeviceRule = { allow: true, type: "c", major: 4, access: "r" };
  assert.equal(lines([denyAll, narrow, wide]), ["-a", "+c 4:1 rw", "+c 4:* r"]);
});

test("wordDevicePolicy() splits a rule for both types, which v1 would take for a rule for all", () => {
  const both: DeviceRule = { allow: true, major: 7, minor: 1, access: "rw" };
  assert.equal(lines([denyAll, both]), ["-a", "+b 7:1 rw", "+c 7:1 rw"]);
});

test("wordDevicePolicy() refuses to leave a hole in a wildcard rule unspoken", () => {
  const wide: DeviceRule = { allow: true, type: "c", major: 4, access: "rw" };
  const hole: DeviceRule = { allow: false, type: "c", major: 4, minor: 1, access: "w" };
  try {
    lines([denyAll, wide, hole]);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, FaultError);
    assert.is(
      error instanceof FaultError && wordFaultError(error),
      "requested rule [c 4:1 w] not supported by devices cgroupv1 " +
        "(cannot punch hole in existing wildcard rule [c 4:* rw])",
    );
  }
});

test("wordDevicePolicy() says what settleDevicePolicy() means, for random rules and accesses", () => {
  const random = randomNumbers(7);
  let worded = 0;
  for (let round = 0; round < 3000; round += 1) {
    const rules = randomRules(random);
    let policyLines: ReturnType<typeof wordDevicePolicy>;
    try {
      policyLines = wordDevicePolicy(settleDevicePolicy(rules));
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      continue;
    }
    worded += 1;
    for (let probe = 0; probe < 20; probe += 1) {
      const device = randomDevice(random);
      for (const access of ["r", "w", "m"]) {
        const one = { ...device, access };
        if (kernelAllows(policyLines, one) === lastMatch(rules, one)) continue;
        const asked = `${JSON.stringify(one)} under ${JSON.stringify(rules)}`;
        throw new Error(`${asked} is another thing as ${JSON.stringify(policyLines)}`);
      }
    }
  }
  assert.ok(worded > 1000, `${worded} could be worded`);
});

type Probe = {
  readonly type: string;
  readonly major: number;
  readonly minor: number;
  readonly access: string;
};

/** What the v1 controller does with one access after these writes; security/device_cgroup.c. */
function kernelAllows(written: ReturnType<typeof wordDevicePolicy>, probe: Probe): boolean {
  const [first, ...rest] = written;
  const matches = rest.some(({ value }) => {
    const [type, numbers = "", access = ""] = value.split(" ");
    const [major, minor] = numbers.split(":");
    return (
      type === probe.type &&
      (major === "*" || Number(major) === probe.major) &&
      (minor === "*" || Number(minor) === probe.minor) &&
      access.includes(probe.access)
    );
  });
  return (first?.file === "devices.allow") !== matches;
}

/** The meaning of the config, straight from the words of the specification; the built-in rules are added by hand. */
function lastMatch(rules: readonly DeviceRule[], probe: Probe): boolean {
  const builtIn = builtInLines.map((line): DeviceRule => {
    const [type = "", numbers = "", access = ""] = line.split(" ");
    const [major, minor] = numbers.split(":").map((text) => (text === "*" ? -1 : Number(text)));
    return { allow: true, type, major: major ?? -1, minor: minor ?? -1, access };
  });
  return (
    [...rules, ...builtIn].findLast(
      ({ type = "a", major = -1, minor = -1, access = "rwm" }) =>
        (type === "a" || type === probe.type) &&
        (major === -1 || major === probe.major) &&
        (minor === -1 || minor === probe.minor) &&
        access.includes(probe.access),
    )?.allow ?? false
  );
}

function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomRules(random: (below: number) => number): DeviceRule[] {
  const accesses = ["r", "w", "m", "rw", "rwm", "rwm"];
  return Array.from({ length: random(6) }, () => ({
    allow: random(2) === 0,
    type: ["a", "b", "c"][random(3)] ?? "a",
    major: random(4) - 1,
    minor: random(4) - 1,
    access: accesses[random(6)] ?? "rwm",
  }));
}

function randomDevice(random: (below: number) => number): Omit<Probe, "access"> {
  const [type, major, minor] = [["b", "c"][random(2)] ?? "b", random(4), random(4)];
  return random(8) === 0 ? { type: "c", major: 1, minor: 3 } : { type, major, minor };
}

test("wordMatch() words open numbers as stars", () => {
  const all = { type: undefined, major: undefined, minor: undefined };
  assert.is(wordMatch({ allow: true, ...all, access: 3 }), "a *:* rm");
});

test.run();
