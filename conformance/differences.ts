// Which tests the runtimes fail, and why; a test that fails without a line here fails the comparison.

export const runtimeNames = ["ts-runc", "runc", "crun"] as const;
export type RuntimeName = (typeof runtimeNames)[number];

/** What the reason is about: the runtime does something else, the machine lacks something, or the suite asks for too much. */
export type Kind = "runtime" | "environment" | "suite";
export type Difference = { readonly kind: Kind; readonly why: string };
/** By the id of the test. */
export type Differences = Readonly<Record<string, Difference>>;

function because(kind: Kind, why: string, ...ids: readonly string[]): Differences {
  return Object.fromEntries(ids.map((id) => [id, { kind, why }]));
}

const younger = "younger than this version, which passes over it";
const leniency = "taken: this version does not check it";
const deletes = "a created container is killed and deleted: engines rely on it with every runtime";
const opposed = "of two opposed options the first one stays";

const tsRunc: Differences = {
  ...because("runtime", deletes, "delete-created", "delete-created-kept"),
};

const runc: Differences = {
  ...because(
    "runtime",
    leniency,
    ...["version-format", "version-required", "version-major", "annotation-key-empty"],
    ...["device-path-required", "device-numbers-required", "masked-absolute", "readonly-absolute"],
    ...[
      "devices-allow-required",
      "huge-page-required",
      "pids-required",
      "seccomp-default-errno-not",
      "seccomp-metadata",
    ],
    ...["seccomp-names", "seccomp-errno-not", "seccomp-args-required", "rlimit-twice"],
  ),
  ...because(
    "runtime",
    "`defaults` is handed to the file system, which does not know it",
    "option-defaults",
  ),
  ...because(
    "runtime",
    "`defaults` is in the list, and handed to the file system",
    "features-mount-options",
  ),
  ...because(
    "runtime",
    opposed,
    ...["option-ratime", "option-rdev", "option-rdiratime", "option-rexec", "option-rrelatime"],
    ...["option-rrw", "option-rsuid", "option-rsymfollow"],
  ),
  ...because(
    "runtime",
    younger,
    ...["idmap-needs-map", "ridmap-needs-map", "idmap-maps", "ridmap-maps", "idmap-uid-needs-gid"],
    ...["idmap-gid-needs-uid", "features-idmap", "scheduler", "scheduler-nice"],
    ...["scheduler-nice-default", "scheduler-priority-default", "io-priority", "domainname"],
    ...["net-device-check", "personality", "personality-required", "memory-policy", "cpu-burst"],
    ...["cpu-burst-quota", "cpu-idle"],
  ),
  ...because(
    "runtime",
    "younger than this version, which refuses it",
    ...["namespace-time", "time-monotonic", "time-boottime", "seccomp-flags"],
  ),
  ...because(
    "runtime",
    "poststart hooks are run at the end of create",
    ...["poststart-when", "life-poststart", "life-poststart-fails", "hooks-operations"],
  ),
  ...because("runtime", "the file stays where the device should be", "device-conflict"),
  ...because("runtime", "the root does not show its peer group", "propagation-shared"),
  ...because(
    "runtime",
    "`slave` changes the host's / alone, not the mount that the root is on",
    "propagation-slave",
  ),
  ...because(
    "runtime",
    "the root is cloned from what has been made unbindable, which fails",
    "propagation-unbindable",
  ),
  ...because(
    "runtime",
    "start is back before the hooks have run, and succeeds",
    "life-start-container-fails",
  ),
  ...because("runtime", "delete ends at the first hook that fails", "life-poststop-others"),
  ...because("runtime", deletes, "delete-created", "delete-created-kept"),
};

const crun: Differences = {
  ...because(
    "runtime",
    opposed,
    ...[
      "option-async",
      "option-atime",
      "option-dev",
      "option-diratime",
      "option-exec",
      "option-rw",
    ],
    ...["option-suid", "option-rdev", "option-rexec", "option-rrw", "option-rsuid"],
  ),
  ...because(
    "runtime",
    "not known, and handed to the file system",
    ...["option-iversion", "option-loud", "option-noiversion", "option-nosymfollow"],
    ...["option-silent", "option-symfollow", "option-rnosymfollow"],
  ),
  ...because(
    "runtime",
    "recursive times of access are set without clearing the others, which the kernel refuses",
    ...["option-ratime", "option-rdiratime", "option-rnoatime", "option-rnodiratime"],
    ...["option-rnostrictatime", "option-rrelatime", "option-rstrictatime"],
  ),
  ...because(
    "runtime",
    "without rootfsPropagation every mount of the container ends up private",
    ...["option-shared", "option-rshared", "option-slave", "option-rslave", "option-unbindable"],
    "option-runbindable",
  ),
  ...because(
    "runtime",
    younger,
    ...["ridmap-needs-map", "ridmap-maps", "scheduler", "scheduler-nice", "scheduler-nice-default"],
    ...["scheduler-priority-default", "io-priority", "net-device-check", "memory-policy"],
    ...["cpu-burst", "cpu-burst-quota"],
  ),
  ...because(
    "runtime",
    leniency,
    ...["cwd-absolute", "args-required", "annotation-map", "annotation-key-empty", "invalid-value"],
    ...["invalid-type", "hook-timeout-zero", "namespace-twice", "device-numbers-required"],
    ...["masked-absolute", "readonly-absolute", "huge-page-required", "pids-required"],
    ...["seccomp-metadata", "seccomp-names", "seccomp-args-required", "rlimit-twice"],
  ),
  ...because(
    "runtime",
    "a capability that nobody knows is passed over without a word",
    "capability-unknown",
  ),
  ...because("runtime", "the container is there while its poststop hooks run", "poststop-when"),
  ...because("runtime", "hooks of create are told the status `created`", "state-creating"),
  ...because(
    "runtime",
    "a container with a time namespace cannot be made on a kernel as new as this one",
    ...["namespace-time", "time-monotonic", "time-boottime"],
  ),
  ...because("runtime", "the file stays where the device should be", "device-conflict"),
  ...because("runtime", "without resctrl intelRdt is passed over", "rdt-none"),
  ...because("runtime", "without SELinux the label is passed over", "mount-label"),
  ...because("runtime", "nothing arrives from the mount that the root is on", "propagation-slave"),
  ...because("runtime", "the agent is called without SCMP_ACT_NOTIFY, too", "listener-ignored"),
  ...because(
    "runtime",
    "start is back before the startContainer hooks have run",
    ...["life-start-container", "life-start-container-fails", "hooks-operations"],
  ),
  ...because(
    "runtime",
    "the program runs on when a poststart hook has failed",
    "life-poststart-fails",
  ),
  ...because("runtime", deletes, "delete-created", "delete-created-kept"),
};

/** Debian's runc 1.1.5 and crun 1.8.1 are those compared with. */
export const differences: Readonly<Record<RuntimeName, Differences>> = {
  "ts-runc": tsRunc,
  runc,
  crun,
};
