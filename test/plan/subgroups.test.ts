import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planCgroup, plannedDirectories } from "../../src/plan/cgroup.ts";
import type { CgroupHost } from "../../src/plan/cgroup-host.ts";
import { planSubgroups, refuseBelowSlice } from "../../src/plan/subgroups.ts";
import type { Spec } from "../../src/spec/types.ts";
import { faultText } from "../support/fault-text.ts";

const test = suite("plan/subgroups");

function specWith(annotations: Readonly<Record<string, string>>, linux: Spec["linux"] = {}): Spec {
  return {
    ociVersion: "1.3.0",
    root: { path: "rootfs" },
    process: { args: ["true"], cwd: "/", user: { uid: 7, gid: 7 } },
    annotations,
    linux,
  };
}

const subgroup = { "run.oci.systemd.subgroup": "sub" };
const delegate = { "run.oci.delegate-cgroup": "mine" };
const systemd = { manager: "systemd", version: "v2", ordinaryUser: false } as const;

test("planSubgroups() names the groups that are asked for, and who is to own the one below", () => {
  const plan = (annotations: Readonly<Record<string, string>>, linux?: Spec["linux"]) =>
    planSubgroups(specWith(annotations, linux), systemd);
  assert.equal(plan(subgroup), { ofUnit: "sub", delegated: undefined });
  assert.equal(plan(delegate), { ofUnit: "", delegated: { name: "mine", owner: 7 } });
  const map = [{ containerID: 0, hostID: 1000, size: 10 }];
  const linux = { namespaces: [{ type: "user" }], uidMappings: map } as const;
  const delegated = { name: "mine", owner: 1007 };
  assert.equal(plan({ ...subgroup, ...delegate }, linux), { ofUnit: "sub", delegated });
  // Who is not root can give nothing away, and owns it.
  const { delegated: own } = planSubgroups(specWith(delegate), { ...systemd, ordinaryUser: true });
  assert.is(own?.owner, undefined);
});

test("planSubgroups() refuses what this manager or this version cannot have, by name and value", () => {
  const said = (spec: Spec, change: Partial<Parameters<typeof planSubgroups>[1]>) =>
    faultText(() => planSubgroups(spec, { ...systemd, ...change }));
  const [below, given] = [specWith(subgroup), specWith(delegate)];
  for (const manager of ["cgroupfs", "disabled"] as const) {
    assert.match(said(below, { manager }), "annotation run.oci.systemd.subgroup=sub: there is no");
  }
  assert.match(said(given, { manager: "disabled" }), "annotation run.oci.delegate-cgroup=mine: --");
  assert.is(said(given, { manager: "cgroupfs" }), "no fault");
  assert.match(said(given, { version: "v1" }), "=mine: delegate-cgroup not supported on cgroup v1");
  assert.is(said(below, { version: "v1" }), "no fault");
});

test("refuseBelowSlice() refuses groups below a unit that systemd does not delegate", () => {
  for (const annotations of [subgroup, delegate]) {
    const planned = planSubgroups(specWith(annotations), systemd);
    assert.match(
      faultText(() => refuseBelowSlice(planned, "a-b.slice")),
      "the unit is a-b.slice, and systemd delegates no slice",
    );
  }
  refuseBelowSlice({ ofUnit: "", delegated: undefined }, "a-b.slice");
});

test("planCgroup() has the delegated group below the container's own, and both are its directories", () => {
  const host: CgroupHost = {
    version: "v2",
    hierarchy: { controllers: [""], mountPoint: "/sys/fs/cgroup", ownPath: "/sys/fs/cgroup/own" },
    controllers: ["pids"],
  };
  const delegated = { name: "mine", owner: 7 };
  const plan = planCgroup({ id: "box", subgroups: { ofUnit: "", delegated } }, host);
  assert.equal(plan.paths, { "": "/sys/fs/cgroup/box" });
  assert.equal(plan.delegated, { path: "/sys/fs/cgroup/box/mine", owner: 7 });
  assert.equal(plannedDirectories(plan), ["/sys/fs/cgroup/box", "/sys/fs/cgroup/box/mine"]);
  assert.equal(plannedDirectories(planCgroup({ id: "box" }, host)), ["/sys/fs/cgroup/box"]);
});

test.run();
