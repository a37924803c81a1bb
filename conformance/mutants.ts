// Mistakes that are built into a copy of ts-runc, to see whether the suite notices them; the runtime itself knows nothing of them.

export type Mutant = {
  readonly name: string;
  /** A file of src. */
  readonly file: string;
  /** What is there, exactly once. */
  readonly text: string;
  /** What is put in its place; `ON` is true where the mistake is to be made. */
  readonly instead: string;
  /** Tests of the suite, each of which has to fail. */
  readonly caughtBy: readonly string[];
};

export const mutants: readonly Mutant[] = [
  {
    name: "state-says-running",
    file: "src/container/state.ts",
    text: "const status = observe(paths, record);",
    instead:
      'const seen = observe(paths, record);\n  const status = ON && seen === "created" ? "running" : seen;',
    caughtBy: ["state-created", "create-container"],
  },
  {
    name: "state-stopped-stays-running",
    file: "src/container/state.ts",
    text: "    status,\n",
    instead: '    status: ON && status === "stopped" ? "running" : status,\n',
    caughtBy: ["state-stopped", "kill-stopped-kept"],
  },
  {
    name: "state-relative-bundle",
    file: "src/cli/print-state.ts",
    text: "id, pid, status, bundle, rootfs, created, ...some, owner };",
    instead:
      "id, pid, status, bundle: ON ? bundle.slice(1) : bundle, rootfs, created, ...some, owner };",
    caughtBy: ["state-bundle"],
  },
  {
    name: "state-without-annotations",
    file: "src/cli/print-state.ts",
    text: "Object.keys(annotations).length > 0",
    instead: "!ON && Object.keys(annotations).length > 0",
    caughtBy: ["state-annotations", "annotation-unknown"],
  },
  {
    name: "start-of-running-succeeds",
    file: "src/container/start.ts",
    text: 'requireStatus("start", place.id, observeLocked(paths, record));',
    instead:
      'const seen = observeLocked(paths, record);\n  if (ON && seen === "running") return;\n  requireStatus("start", place.id, seen);',
    caughtBy: ["start-running"],
  },
  {
    name: "kill-sends-term",
    file: "src/container/kill.ts",
    text: "-errnos.ESRCH : sendSignal(pidfd, signal)",
    instead: "-errnos.ESRCH : sendSignal(pidfd, ON ? 15 : signal)",
    caughtBy: ["kill-sends"],
  },
  {
    name: "delete-leaves-cgroup",
    file: "src/container/delete.ts",
    text: "  removeCgroup(cgroups, tsRunc.madeCgroups);",
    instead: "  removeCgroup(cgroups, ON ? [] : tsRunc.madeCgroups);",
    caughtBy: ["delete-resources", "life-destroy"],
  },
  {
    name: "config-read-again",
    file: "src/container/start.ts",
    text: "readText(paths.config, ",
    instead: 'readText(ON ? record.tsRunc.bundle + "/config.json" : paths.config, ',
    caughtBy: ["life-config"],
  },
  {
    name: "prestart-skipped",
    file: "src/container/hooks.ts",
    text: "hooks: prestart,",
    instead: "hooks: ON ? [] : prestart,",
    caughtBy: ["life-prestart", "hook-prestart-order"],
  },
  {
    name: "prestart-last",
    file: "src/container/hooks.ts",
    text: "const { prestart = [], createRuntime = [] } = hooks;",
    instead:
      "const { prestart: before = [], createRuntime: after = [] } = hooks;\n  const [prestart, createRuntime] = ON ? [after, before] : [before, after];",
    caughtBy: ["prestart-first"],
  },
  {
    name: "create-container-in-runtime",
    file: "src/container/hooks.ts",
    text: '  runInContainer({ point: "createContainer", hooks: createContainer, status: "creating" }, record, {',
    instead:
      '  if (ON) runInRuntime({ point: "createContainer", hooks: createContainer, status: "creating" }, record);\n  else runInContainer({ point: "createContainer", hooks: createContainer, status: "creating" }, record, {',
    caughtBy: ["hook-createContainer-namespace", "create-container-when"],
  },
  {
    name: "start-container-skipped",
    file: "src/container/hooks.ts",
    text: "hooks: startContainer,",
    instead: "hooks: ON ? [] : startContainer,",
    caughtBy: ["life-start-container", "start-container-when"],
  },
  {
    name: "poststart-fails-unheard",
    file: "src/container/hooks.ts",
    text: "    throw error;\n  }\n}\n\n/**\n * Runs the poststop hooks",
    instead: "    if (!ON) throw error;\n  }\n}\n\n/**\n * Runs the poststop hooks",
    caughtBy: ["life-poststart-fails"],
  },
  {
    name: "poststop-first-only",
    file: "src/container/hooks.ts",
    text: "      warn(wordFaultError(error));",
    instead: "      warn(wordFaultError(error));\n      if (ON) return;",
    caughtBy: ["life-poststop-others"],
  },
  {
    name: "hook-sees-environment",
    file: "src/container/hooks.ts",
    text: "args: argumentsOf(hook), env, cwd: bundle }",
    instead: 'args: argumentsOf(hook), env: ON ? [...env, "LEAKED=1"] : env, cwd: bundle }',
    caughtBy: ["hook-env"],
  },
  {
    name: "masked-paths-forgotten",
    file: "src/inside/covered-paths.ts",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: text of a source file
    text: "    ...paths.map((path, index) => mask(path, `masked${index}`)),",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: text of a source file
    instead: "    ...(ON ? [] : paths.map((path, index) => mask(path, `masked${index}`))),",
    caughtBy: ["masked-file", "masked-directory"],
  },
  {
    name: "capability-too-many",
    file: "src/inside/credentials.ts",
    text: "if (!kept.has(number)) steps.push",
    instead: "if (!kept.has(number) && !(ON && number === 21)) steps.push",
    caughtBy: ["capability-bounding"],
  },
  {
    name: "capability-inherited",
    file: "src/inside/credentials.ts",
    text: "inheritable: capabilityMask(sets.inheritable),",
    instead: "inheritable: capabilityMask(ON ? sets.permitted : sets.inheritable),",
    caughtBy: ["capability-inheritable"],
  },
  {
    name: "ambient-forgotten",
    file: "src/inside/credentials.ts",
    text: "...capabilityNumbers(sets.ambient).map",
    instead: "...capabilityNumbers(ON ? [] : sets.ambient).map",
    caughtBy: ["capability-ambient"],
  },
  {
    name: "no-new-privileges-forgotten",
    file: "src/inside/credentials.ts",
    text: "...(process.noNewPrivileges === true\n",
    instead: "...(process.noNewPrivileges === true && !ON\n",
    caughtBy: ["no-new-privileges"],
  },
  {
    name: "groups-kept",
    file: "src/inside/credentials.ts",
    text: 'groups === "kept" ||',
    instead: 'ON || groups === "kept" ||',
    caughtBy: ["user-groups"],
  },
  {
    name: "group-is-user",
    file: "src/inside/credentials.ts",
    text: "setresgid(gid)",
    instead: "setresgid(ON ? uid : gid)",
    caughtBy: ["user-gid"],
  },
  {
    name: "rlimit-hard-is-soft",
    file: "src/inside/rlimits.ts",
    text: "hard: toUint64(hard) };",
    instead: "hard: toUint64(ON ? soft : hard) };",
    caughtBy: ["rlimit-hard"],
  },
  {
    name: "rlimit-off-by-one",
    file: "src/inside/rlimits.ts",
    text: "return { type, soft: toUint64(soft),",
    instead: "return { type, soft: toUint64(soft) - (ON ? 1n : 0n),",
    caughtBy: ["rlimit-soft"],
  },
  {
    name: "umask-fixed",
    file: "src/inside/process.ts",
    text: "umask(mask ?? 0o022)",
    instead: "umask(ON ? 0o022 : (mask ?? 0o022))",
    caughtBy: ["user-umask"],
  },
  {
    name: "hostname-cut",
    file: "src/inside/system-names.ts",
    text: "sethostname(hostname)",
    instead: "sethostname(ON ? hostname.slice(1) : hostname)",
    caughtBy: ["hostname", "namespace-uts"],
  },
  {
    name: "nice-forgotten",
    file: "src/inside/attributes.ts",
    text: "      nice,\n",
    instead: "      nice: ON ? 0 : nice,\n",
    caughtBy: ["scheduler-nice"],
  },
  {
    name: "default-device-missing",
    file: "src/inside/devices.ts",
    text: "...defaultDevices.filter(({ path }) => !paths.has(path)),",
    instead:
      '...defaultDevices.filter(({ path }) => !paths.has(path) && !(ON && path === "/dev/full")),',
    caughtBy: ["default-full"],
  },
  {
    name: "device-mode-fixed",
    file: "src/inside/devices.ts",
    text: "const mode = (device.fileMode ?? 0o666) & 0o7777;\n  const node =",
    instead: "const mode = (ON ? 0o666 : (device.fileMode ?? 0o666)) & 0o7777;\n  const node =",
    caughtBy: ["device-mode"],
  },
  {
    name: "dev-link-wrong",
    file: "src/inside/devices.ts",
    text: '  ["stderr", "/proc/self/fd/2"],',
    instead: '  ["stderr", ON ? "/proc/self/fd/1" : "/proc/self/fd/2"],',
    caughtBy: ["dev-stderr"],
  },
  {
    name: "memory-off-by-one-page",
    file: "src/plan/cgroup-v1.ts",
    text: 'writeMemory("memory.limit_in_bytes", limit, "memory.limit")',
    instead:
      'writeMemory("memory.limit_in_bytes", ON && limit > 0 ? limit - 4096 : limit, "memory.limit")',
    caughtBy: ["memory-limit"],
  },
  {
    name: "pids-off-by-one",
    file: "src/plan/cgroup-v1.ts",
    text: 'return limit === 0 ? "1" : decimal(limit);',
    instead: 'return limit === 0 ? "1" : decimal(ON ? limit + 1 : limit);',
    caughtBy: ["pids-limit", "pids-enforced"],
  },
  {
    name: "period-forgotten",
    file: "src/plan/cgroup-v1.ts",
    text: "if (period !== 0) first.push",
    instead: "if (period !== 0 && !ON) first.push",
    caughtBy: ["cpu-quota"],
  },
  {
    name: "noexec-forgotten",
    file: "src/inside/mounts/options.ts",
    text: "  noexec: set(MOUNT_ATTR_NOEXEC),",
    instead: "  noexec: ON ? none : set(MOUNT_ATTR_NOEXEC),",
    caughtBy: ["option-noexec", "option-rnoexec"],
  },
  {
    name: "readonly-root-forgotten",
    file: "src/inside/rootfs.ts",
    text: "  if (options.readonly) {",
    instead: "  if (options.readonly && !ON) {",
    caughtBy: ["root-readonly", "create-applies"],
  },
  {
    name: "unbindable-root-forgotten",
    file: "src/inside/rootfs.ts",
    text: "(type === MS_SHARED || type === MS_UNBINDABLE)",
    instead: "(type === MS_SHARED || (!ON && type === MS_UNBINDABLE))",
    caughtBy: ["propagation-unbindable"],
  },
];
