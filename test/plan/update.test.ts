// What `update` makes of new resources beside those that a container has.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planUpdate } from "../../src/plan/update.ts";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { catchFault } from "../spec/catch-fault.ts";

const test = suite("plan/update");

const v1 = {
  memory: "/memory",
  cpu: "/cpu",
  cpuset: "/cpuset",
  pids: "/pids",
  devices: "/devices",
};
const v2 = { "": "/unified" };

/** The writes of an update, as `file=value`. */
function writes(
  current: LinuxResources,
  given: LinuxResources,
  paths: Record<string, string>,
): string[] {
  return planUpdate(current, given, paths).steps.flatMap((step) =>
    step.kind === "write" && step.again !== true ? [`${step.file}=${step.value}`] : [],
  );
}

test("planUpdate() writes what is given and nothing else", () => {
  const current = { memory: { limit: 4096 }, pids: { limit: 7 }, cpu: { shares: 10, cpus: "0" } };
  assert.equal(writes(current, {}, v1), []);
  assert.equal(writes(current, {}, v2), []);
  assert.equal(writes(current, { pids: { limit: 9 } }, v1), ["pids.max=9"]);
  assert.equal(writes(current, { cpu: { cpus: "1" } }, v2), ["cpuset.cpus=1"]);
  const rules = [{ allow: true, access: "rwm" }];
  assert.equal(writes(current, { devices: rules }, v1), [], "device rules are left alone");
  assert.is(planUpdate(current, { devices: rules }, v2).steps.length, 0);
});

test("planUpdate() takes 0 and an empty text for nothing, but not where 0 says something", () => {
  const nothing = {
    memory: { limit: 0, swap: 0, reservation: 0 },
    cpu: { shares: 0, quota: 0, cpus: "" },
  };
  assert.equal(writes({}, nothing, v1), []);
  assert.equal(writes({}, { cpu: { idle: 0 } }, v1), ["cpu.idle=0"]);
  assert.equal(writes({}, { memory: { swappiness: 0 } }, v1), ["memory.swappiness=0"]);
  const kept = planUpdate({ memory: { limit: 4096 } }, nothing, v1).resources;
  assert.equal(kept.memory, { limit: 4096 });
});

test("planUpdate() keeps a quota's period and a period's quota", () => {
  const current = { cpu: { quota: 20000, period: 50000 } };
  assert.equal(writes(current, { cpu: { quota: 10000 } }, v2), ["cpu.max=10000 50000"]);
  assert.equal(writes(current, { cpu: { period: 80000 } }, v2), ["cpu.max=20000 80000"]);
  assert.equal(planUpdate(current, { cpu: { quota: 10000 } }, v2).resources.cpu, {
    quota: 10000,
    period: 50000,
  });
});

test("planUpdate() knows the memory limit that a swap limit is about", () => {
  const current = { memory: { limit: 4096 } };
  assert.equal(writes(current, { memory: { swap: 8192 } }, v2), [
    "memory.swap.max=4096",
    "memory.max=4096",
  ]);
  assert.equal(writes(current, { memory: { swap: -1 } }, v2), ["memory.swap.max=max"]);
  assert.equal(writes(current, { memory: { limit: -1 } }, v2), [
    "memory.swap.max=max",
    "memory.max=max",
  ]);
  const fault = catchFault(() => planUpdate({}, { memory: { swap: 8192 } }, v2))?.fault;
  assert.is(
    fault?.kind === "refused" && fault.message,
    "unable to set swap limit without memory limit, got 8192",
  );
});

test("planUpdate() merges what is kept property by property", () => {
  const current = {
    memory: { limit: 1, swap: 2 },
    unified: { "a.b": "1" },
    devices: [{ allow: false }],
  };
  const { resources } = planUpdate(current, { memory: { swap: 4 }, unified: { "a.c": "2" } }, v2);
  assert.equal(resources.memory, { limit: 1, swap: 4 });
  assert.equal(resources.unified, { "a.b": "1", "a.c": "2" });
  assert.equal(resources.devices, [{ allow: false }]);
});

test("planUpdate() refuses what the host has no controller for", () => {
  const fault = catchFault(() =>
    planUpdate({}, { pids: { limit: 1 } }, { memory: "/memory" }),
  )?.fault;
  assert.is(fault?.kind, "host");
});

test.run();
