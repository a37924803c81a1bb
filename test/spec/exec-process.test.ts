// What exec takes from the container's own process, from the command line and from a process file.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  changeProcess,
  completeProcess,
  type ProcessChanges,
} from "../../src/spec/exec-process.ts";
import type { ValidatedProcess } from "../../src/spec/validate.ts";
import { validateProcess } from "../../src/spec/validate.ts";
import { catchFault } from "./catch-fault.ts";

const test = suite("spec/exec-process");

const nothing: ProcessChanges = {
  args: ["id"],
  cwd: undefined,
  env: [],
  terminal: false,
  user: undefined,
  additionalGids: [],
  capabilities: [],
  noNewPrivileges: undefined,
  apparmorProfile: undefined,
  selinuxLabel: undefined,
};

function process(properties: object = {}): ValidatedProcess {
  return validateProcess({ cwd: "/", args: ["sh"], ...properties });
}

const own = process({
  cwd: "/own",
  terminal: true,
  env: ["A=1"],
  user: { uid: 1, gid: 2, umask: 0o27, additionalGids: [3] },
  capabilities: { bounding: ["CAP_KILL"], effective: ["CAP_KILL"], permitted: ["CAP_KILL"] },
  rlimits: [{ type: "RLIMIT_CORE", soft: 1, hard: 2 }],
  noNewPrivileges: true,
  oomScoreAdj: 5,
});

test("changeProcess() leaves everything but args and the terminal to the config", () => {
  assert.equal(changeProcess(own, nothing), { ...own, args: ["id"], terminal: false });
});

test("changeProcess() appends environment and groups, and replaces what there is one of", () => {
  const changed = changeProcess(own, {
    ...nothing,
    cwd: "/other",
    env: ["A=2", "B=3"],
    terminal: true,
    user: { uid: 7, gid: undefined },
    additionalGids: [8],
    noNewPrivileges: false,
    apparmorProfile: "profile",
    selinuxLabel: "label",
  });
  assert.is(changed.cwd, "/other");
  assert.equal(changed.env, ["A=1", "A=2", "B=3"]);
  assert.equal(changed.user, { uid: 7, gid: 2, umask: 0o27, additionalGids: [3, 8] });
  assert.is(changed.terminal, true);
  assert.is(changed.noNewPrivileges, false);
  assert.is(changed.apparmorProfile, "profile");
  assert.is(changed.selinuxLabel, "label");
  assert.is(changeProcess(own, { ...nothing, user: { uid: 7, gid: 9 } }).user?.gid, 9);
});

test("changeProcess() never makes a capability inheritable (CVE-2022-29162)", () => {
  const added = { ...nothing, capabilities: ["CAP_CHOWN"] };
  assert.equal(changeProcess(own, added).capabilities, {
    bounding: ["CAP_KILL", "CAP_CHOWN"],
    effective: ["CAP_KILL", "CAP_CHOWN"],
    permitted: ["CAP_KILL", "CAP_CHOWN"],
  });
  const inheriting = process({ capabilities: { inheritable: ["CAP_KILL"] } });
  const { inheritable, ambient } = changeProcess(inheriting, added).capabilities ?? {};
  assert.equal(inheritable, ["CAP_KILL"]);
  assert.equal(ambient, ["CAP_CHOWN"]);
  // runc 1.1.5 crashes here.
  assert.equal(changeProcess(process(), added).capabilities?.effective, ["CAP_CHOWN"]);
});

test("changeProcess() refuses a relative working directory in runc's words", () => {
  const fault = catchFault(() => changeProcess(own, { ...nothing, cwd: "tmp" }))?.fault;
  assert.equal(fault, { kind: "refused", message: "Cwd must be an absolute path" });
});

test("completeProcess() inherits what runc has of the container's config, and no limits", () => {
  const bare = process();
  const kept = {
    apparmorProfile: "profile",
    selinuxLabel: "label",
    scheduler: { policy: "SCHED_BATCH" },
    ioPriority: { class: "IOPRIO_CLASS_IDLE" },
    execCPUAffinity: { final: "0" },
    oomScoreAdj: 5,
  } as const;
  assert.equal(completeProcess(bare, { ...own, ...kept }), {
    ...bare,
    ...kept,
    user: { umask: 0o27 },
    capabilities: own.capabilities,
  });
  assert.equal(completeProcess(bare, process()), bare);
  const full = process({
    user: { umask: 0o77 },
    capabilities: {},
    oomScoreAdj: 0,
    apparmorProfile: "another",
    selinuxLabel: "other",
    scheduler: { policy: "SCHED_OTHER" },
    ioPriority: { class: "IOPRIO_CLASS_BE" },
    execCPUAffinity: {},
  });
  assert.equal(completeProcess(full, { ...own, ...kept }), full);
  // An empty name asks for no profile, and so for the container's.
  const empty = process({ apparmorProfile: "" });
  assert.is(completeProcess(empty, { ...own, ...kept }).apparmorProfile, "profile");
});

test.run();
