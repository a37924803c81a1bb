// AppArmor profiles and SELinux labels: what they do where the kernel has them, which the machine of test/vm has, and that they
// are refused as by runc where it has not. Needs root.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isSelinuxEnabled } from "../../src/host/selinux.ts";
import { logMessages, runc } from "../cli/executable.ts";
import { canConfine, hasApparmor, loadProfile } from "../support/apparmor.ts";
import { openExecRoom } from "../support/exec-room.ts";
import type { Room, RuntimeName } from "../support/room.ts";

const test = suite("kernel/labels");
const execRoom = openExecRoom("labels");
const { room, startContainer, exec, outputOf, processFile } = execRoom;
type Change = NonNullable<Parameters<Room["makeBundle"]>[0]>;

/** Where the kernel has been started with SELinux, by test/vm/selinux.test.ts, it is given the policy made there. */
const policy = join(import.meta.dir, "../../build/selinux.policy");
const modules = "/sys/kernel/security/lsm";
if (existsSync(modules) && readFileSync(modules, "utf8").includes("selinux")) {
  Bun.spawnSync(["mount", "-t", "selinuxfs", "selinuxfs", "/sys/fs/selinux"]);
  if (!isSelinuxEnabled()) writeFileSync("/sys/fs/selinux/load", readFileSync(policy));
}
const hasSelinux = isSelinuxEnabled();

const mounts = [
  { destination: "/proc", type: "proc", source: "proc" },
  { destination: "/dev", type: "tmpfs", source: "tmpfs" },
];

function run(
  change: Change,
  runtime: RuntimeName = "ts-runc",
): { readonly status: number; readonly output: string } {
  const { directory } = room.makeBundle({ mounts, ...change });
  const argv = ["run", "-b", directory, room.newId()];
  const { status, stdout, stderr } = room.runtime(runtime, argv);
  return { status, output: status === 0 ? stdout.trim() : logMessages(stderr).join("\n") };
}

const user = {
  namespaces: ["pid", "mount", "user"].map((type) => ({ type })),
  uidMappings: [{ containerID: 0, hostID: 100_000, size: 10 }],
  gidMappings: [{ containerID: 0, hostID: 100_000, size: 10 }],
};
const sharedPids = { ...user, namespaces: ["mount", "user"].map((type) => ({ type })) };
/** A user namespace without a pid namespace may not mount a proc. */
const hostProc = [{ destination: "/proc", type: "bind", source: "/proc", options: ["rbind"] }];
const places: readonly Change[] = [
  {},
  { linux: user },
  { linux: sharedPids, mounts: [...hostProc, ...mounts.slice(1)] },
];
const label = "system_u:system_r:container_t:s0:c1,c2";

if (hasApparmor) console.log("skip: refusals without AppArmor: the kernel has it");
const withoutApparmor = hasApparmor ? test.skip : test;
if (hasSelinux) console.log("skip: refusals without SELinux: the kernel has it");
const withoutSelinux = hasSelinux ? test.skip : test;
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const besideApparmor = runc === undefined ? test.skip : withoutApparmor;
const besideSelinux = runc === undefined ? test.skip : withoutSelinux;

withoutApparmor("a profile fails without AppArmor, wherever it is written from", () => {
  for (const place of places) {
    const { status, output } = run({ ...place, process: { apparmorProfile: "unconfined" } });
    assert.is(status, 1);
    const words =
      /unable to apply apparmor profile: apparmor failed to apply profile: write \/proc\/self\/attr\/(apparmor\/)?exec: invalid argument$/;
    assert.match(output, words);
  }
});

besideApparmor("a profile fails without AppArmor in runc's words", () => {
  const change = { process: { apparmorProfile: "unconfined" } };
  assert.equal(run(change), run(change, "runc"));
});

besideApparmor("a profile for exec fails without AppArmor in runc's words", () => {
  const { directory } = room.makeBundle({ process: { args: ["sleep", "1000"] } });
  const answers = (["ts-runc", "runc"] as const).map((runtime) => {
    const id = room.newId();
    assert.is(room.runtime(runtime, ["run", "-d", "-b", directory, id]).status, 0);
    const processes = [
      { apparmorProfile: "profile" },
      ...(hasSelinux ? [] : [{ selinuxLabel: label }]),
    ];
    const argvs = [
      ["exec", "--apparmor", "profile", id, "true"],
      // Where there is SELinux it is a label that the policy may know.
      ...(hasSelinux ? [] : [["exec", "--process-label", label, id, "true"]]),
      ...processes.map((one) => [
        "exec",
        "-p",
        processFile({ args: ["true"], cwd: "/", ...one }),
        id,
      ]),
    ];
    const found = argvs.map((argv) => {
      const { status, stderr } = room.runtime(runtime, argv);
      // Ours says that it was the process's own part that failed.
      return [status, ...logMessages(stderr)]
        .join(" ")
        .replace("error during container init: ", "");
    });
    assert.is(room.runtime(runtime, ["delete", "--force", id]).status, 0);
    return found;
  });
  assert.equal(answers[0], answers[1]);
});

besideSelinux("a label fails without SELinux in runc's words", () => {
  const change = { process: { selinuxLabel: label } };
  const found = run(change);
  assert.equal(found, run(change, "runc"));
  assert.match(found.output, "selinux label is specified in config, but selinux is disabled");
});

besideSelinux("a mount label fails without SELinux at the mount where it fails with runc", () => {
  const change = { linux: { mountLabel: label } };
  const at = (output: string): string =>
    /error mounting "[^"]*" to rootfs at "[^"]*"/.exec(output)?.[0] ?? output;
  const [ours, theirs] = [run(change), run(change, "runc")];
  assert.is(ours.status, theirs.status);
  assert.is(at(ours.output), at(theirs.output));
  assert.match(ours.output, /context.*invalid argument$/);
});

withoutSelinux("a mount label without a file system to carry it has no effect", () => {
  // With a mqueue, too, whose files runc labels only where there is SELinux.
  const more = [
    ...mounts.slice(0, 1),
    { destination: "/mqueue", type: "mqueue", source: "mqueue" },
  ];
  const linux = {
    mountLabel: label,
    namespaces: ["pid", "mount", "ipc"].map((type) => ({ type })),
  };
  const { status, output } = run({ mounts: more, linux, process: { args: ["true"] } });
  assert.is(status, 0, output);
});

test("labels with a NUL byte are refused with property and rule", () => {
  const bad = "a\0b";
  for (const [change, pointer] of [
    [{ process: { apparmorProfile: bad } }, "/process/apparmorProfile"],
    [{ process: { selinuxLabel: bad } }, "/process/selinuxLabel"],
    [{ linux: { mountLabel: bad } }, "/linux/mountLabel"],
  ] as const) {
    const { status, output } = run(change);
    assert.is(status, 1);
    assert.match(output, new RegExp(`${pointer}: must not contain a NUL byte, got "a.u0000b"`));
  }
});

test("empty labels ask for nothing", () => {
  const process = { apparmorProfile: "", selinuxLabel: "", args: ["true"] };
  const { status, output } = run({ process, linux: { mountLabel: "" } });
  assert.is(status, 0, output);
});

if (!canConfine)
  console.log("skip: what a profile does: there is no AppArmor, or no apparmor_parser");
const confined = canConfine ? test : test.skip;
const profile = "ts-runc-test";

const look =
  "cat /proc/self/attr/current; echo yes >/tmp/allowed; echo no >/tmp/forbidden; echo $?";

confined("a container runs under its profile, and so does a process of exec", () => {
  loadProfile(room.directory, profile);
  loadProfile(room.directory, `${profile}-other`);
  for (const place of places) {
    const process = { args: ["sh", "-c", "cat /proc/self/attr/current"], apparmorProfile: profile };
    const { status, output } = run({ ...place, process });
    assert.is(status, 0, output);
    assert.is(output, `${profile} (enforce)`);
  }
  const id = startContainer({
    mounts: [...mounts, { destination: "/tmp", type: "tmpfs", source: "tmpfs" }],
    process: { args: ["sleep", "1000"], apparmorProfile: profile, noNewPrivileges: true },
  });
  const seen = exec(id, "sh", "-c", look);
  assert.match(seen.stdout, new RegExp(`^${profile} \\(enforce\\)\\n1\\n$`));
  assert.match(seen.stderr, "Permission denied");
  const current = ["cat", "/proc/self/attr/current"];
  assert.is(
    outputOf("--apparmor", `${profile}-other`, id, ...current),
    `${profile}-other (enforce)`,
  );
  const bare = { args: current, cwd: "/", env: ["PATH=/bin"] };
  assert.is(outputOf("-p", processFile(bare), id), `${profile} (enforce)`);
  const other = { ...bare, apparmorProfile: `${profile}-other` };
  assert.is(outputOf("-p", processFile(other), id), `${profile}-other (enforce)`);
});

confined("a profile that is not loaded is refused, and nothing is left", () => {
  const { status, output } = run({ process: { apparmorProfile: "ts-runc-absent" } });
  assert.is(status, 1);
  assert.match(
    output,
    /apparmor failed to apply profile: write \/proc\/self\/attr\/apparmor\/exec: no such/,
  );
});

if (!hasSelinux) console.log("skip: what a label does: there is no SELinux");
const labelled = hasSelinux ? test : test.skip;
const containerLabel = "user_u:host_r:container_t";
const fileLabel = "user_u:object_r:container_file_t";
const ownLabel = ["cat", "/proc/self/attr/current"];

labelled("a container and a process of exec have their labels", () => {
  const shown = (text: string): string => text.replace(/\0.*$/s, "").trim();
  for (const place of places) {
    const found = run({ ...place, process: { args: ownLabel, selinuxLabel: containerLabel } });
    assert.is(found.status, 0, found.output);
    assert.is(shown(found.output), containerLabel);
  }
  const id = startContainer({ mounts, process: { selinuxLabel: containerLabel } });
  const bare = { args: ownLabel, cwd: "/", env: ["PATH=/bin"] };
  assert.is(shown(outputOf(id, ...ownLabel)), containerLabel);
  assert.is(shown(outputOf("-p", processFile(bare), id)), containerLabel);
  const other = "user_u:host_r:host_t";
  assert.is(shown(outputOf("--process-label", other, id, ...ownLabel)), other);
  // The label was for the keyring alone.
  assert.is(shown(outputOf(id, "cat", "/proc/self/attr/keycreate")), "");
});

labelled(
  "new file systems have the mount label, and those with labels of their own have not",
  () => {
    const more = [
      ...mounts,
      { destination: "/dev/pts", type: "devpts", source: "devpts" },
      { destination: "/dev/mqueue", type: "mqueue", source: "mqueue" },
      { destination: "/sys", type: "sysfs", source: "sysfs" },
    ];
    const namespaces = ["pid", "mount", "ipc", "network"].map((type) => ({ type }));
    const args = ["cat", "/proc/self/mountinfo"];
    const linux = { namespaces, mountLabel: fileLabel, maskedPaths: ["/proc/acpi", "/proc/tty"] };
    const { status, output } = run({ mounts: more, process: { args }, linux });
    assert.is(status, 0, output);
    const isLabelled = (at: string): boolean =>
      output
        .split("\n")
        .some((line) => line.includes(` ${at} `) && line.includes(`context=${fileLabel}`));
    for (const at of ["/dev", "/dev/pts", "/proc/tty"])
      assert.ok(isLabelled(at), `${at}: ${output}`);
    for (const at of ["/proc", "/sys", "/dev/mqueue"]) assert.not.ok(isLabelled(at), at);
  },
);

labelled("a label that the policy does not know is refused", () => {
  const { status, output } = run({ process: { selinuxLabel: "no:such:label" } });
  assert.is(status, 1);
  assert.match(
    output,
    /setting the label of the session keyring: write \/proc\/self\/attr\/keycreate: inv/,
  );
});

test("nothing is left", async () => {
  assert.equal(await execRoom.end(), []);
  room.remove();
});

test.run();
