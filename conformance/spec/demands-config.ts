// What config.md demands of a runtime, hooks aside, in our own words.

import { demandsOf, type Line } from "./demand.ts";
import { mountOptions } from "./mount-options.ts";

const optionLines: readonly Line[] = mountOptions.map(({ name, level, shows, lacks }) => {
  const effect = shows.length + lacks.length > 0 ? "is known and has its effect" : "is known";
  return [`option-${name}`, level, `the mount option \`${name}\` ${effect}`];
});

const otherSystem = "about a system that is not Linux";
const noData =
  "a bind mount has no file system to hand options to, and what the kernel passes over cannot be seen";
const aboutConfigs = "demanded of whoever writes the config; the runtime may take it";

export const configDemands = demandsOf("config.md", {
  "Specification version": [
    ["version-format", "MUST", "an ociVersion that is no semantic version is refused"],
    ["version-required", "REQUIRED", "a config without ociVersion is refused"],
    ["version-older", "MUST", "a config of an older minor version is taken"],
    [
      "version-major",
      "MUST",
      "a config of a major version that the runtime does not know is refused",
    ],
  ],
  Root: [
    ["root-required", "REQUIRED", "a config without root is refused"],
    ["root-path-required", "REQUIRED", "a root without path is refused"],
    ["root-windows-guid", "MUST", "on Windows path is a volume", otherSystem],
    ["root-hyperv", "MUST NOT", "Hyper-V containers have no root", otherSystem],
    ["root-windows-readonly", "MUST", "on Windows readonly is not true", otherSystem],
    ["root-relative", "APPLY", "a relative path starts at the bundle"],
    ["root-absolute", "APPLY", "an absolute path is taken as it is"],
    ["root-conventional", "SHOULD", "path is `rootfs`", aboutConfigs],
    ["root-exists", "MUST", "a root that is not there is refused"],
    ["root-directory", "MUST", "a root that is no directory is refused"],
    ["root-readonly", "MUST", "with readonly nothing can be written to the root"],
    ["root-writable", "APPLY", "without readonly the root can be written to"],
  ],
  Mounts: [
    ["mounts-order", "MUST", "mounts are made in the order of the list"],
    ["mounts-destination-required", "REQUIRED", "a mount without destination is refused"],
    ["mounts-absolute", "SHOULD", "destinations are absolute", aboutConfigs],
    ["mounts-relative", "MUST", "a relative destination starts at /"],
    [
      "mounts-windows-absolute",
      "MUST",
      "on Windows and Solaris destinations are absolute",
      otherSystem,
    ],
    ["mounts-windows-nested", "MUST NOT", "on Windows no mount is in another", otherSystem],
    ["mounts-windows-ro", "MUST", "on Windows `ro` is supported", otherSystem],
    ["mounts-source-relative", "APPLY", "a relative source of a bind mount starts at the bundle"],
    ["mounts-source-file", "APPLY", "a file can be the source of a bind mount"],
    ["mounts-type-dummy", "APPLY", "the type of a bind mount means nothing"],
  ],
  "Linux mount options": [
    ...optionLines,
    [
      "option-bind",
      "MUST",
      "the mount option `bind` mounts a directory without what is mounted below it",
    ],
    [
      "option-rbind",
      "MUST",
      "the mount option `rbind` mounts a directory with what is mounted below it",
    ],
    ["option-private", "MUST", "the mount option `private` makes the mount private"],
    [
      "option-rprivate",
      "MUST",
      "the mount option `rprivate` makes the mount and those below private",
    ],
    ["option-shared", "MUST", "the mount option `shared` makes the mount shared"],
    ["option-rshared", "MUST", "the mount option `rshared` makes the mount and those below shared"],
    ["option-slave", "MUST", "the mount option `slave` makes the mount a slave of its source"],
    ["option-rslave", "MUST", "the mount option `rslave` makes the mount and those below slaves"],
    ["option-unbindable", "MUST", "the mount option `unbindable` makes the mount unbindable"],
    [
      "option-runbindable",
      "MUST",
      "the mount option `runbindable` makes the mount and those below unbindable",
    ],
    ["option-remount", "MUST", "the mount option `remount` changes a mount that is there"],
    ["option-data", "SHOULD", "an option that is not in the list is the file system's"],
    [
      "option-mount8",
      "SHOULD",
      "an option of mount(8) that is not in the list means what it means there",
      "mount(8) has no further options that are not flags of user space or a file system's",
    ],
    ["idmap-needs-map", "MUST", "`idmap` without mappings and without a user namespace is refused"],
    [
      "ridmap-needs-map",
      "MUST",
      "`ridmap` without mappings and without a user namespace is refused",
    ],
    [
      "idmap-maps",
      "MUST",
      "with `idmap` the owners seen are those that the mappings of the mount say",
    ],
    ["ridmap-maps", "MUST", "with `ridmap` the mapping holds for the mounts below too"],
    [
      "idmap-not-passed",
      "SHOULD NOT",
      "`idmap` does not reach the file system as an option",
      noData,
    ],
    [
      "ridmap-not-passed",
      "SHOULD NOT",
      "`ridmap` does not reach the file system as an option",
      noData,
    ],
    [
      "idmap-setattr",
      "SHOULD",
      "idmapped mounts are made by mount_setattr",
      "how it is done cannot be seen from outside, and nothing else does it",
    ],
  ],
  "POSIX-platform Mounts": [
    ["idmap-uid-needs-gid", "MUST", "uidMappings without gidMappings are refused"],
    ["idmap-gid-needs-uid", "MUST", "gidMappings without uidMappings are refused"],
    ["idmap-option-given", "SHOULD", "a mount with mappings has `idmap` or `ridmap`", aboutConfigs],
    ["mounts-type", "APPLY", "the type is the file system that is mounted"],
  ],
  Process: [
    ["process-required", "REQUIRED", "start needs a process"],
    ["terminal", "APPLY", "with terminal the standard streams are one pseudoterminal"],
    ["terminal-not", "APPLY", "without terminal they are none"],
    ["console-size", "APPLY", "the terminal has the size of consoleSize"],
    ["console-size-ignored", "MUST", "without terminal consoleSize is ignored"],
    ["cwd", "APPLY", "the program starts in cwd"],
    ["cwd-required", "REQUIRED", "a process without cwd is refused"],
    ["cwd-absolute", "MUST", "a cwd that is not absolute is refused"],
    ["env", "APPLY", "the program has the environment of the config"],
    ["args", "APPLY", "the program has the arguments of the config"],
    ["args-required", "REQUIRED", "a process without any argument is refused"],
    ["args-path", "APPLY", "the program is looked for in the PATH of the config"],
    ["args-absent", "APPLY", "a program that is not there is an error of create or start"],
    ["command-line", "REQUIRED", "on Windows commandLine stands in for args", otherSystem],
  ],
  "POSIX process": [
    ["rlimit-type", "MUST", "a limit of an unknown type is refused"],
    ["rlimit-get", "MUST", "every limit of the kernel is set"],
    ["rlimit-soft", "MUST", "the soft limit is the one of the config"],
    ["rlimit-hard", "MUST", "the hard limit is the one of the config"],
    ["rlimit-twice", "MUST", "two limits of one type are refused"],
  ],
  "Linux Process": [
    ["apparmor", "APPLY", "the program runs under the AppArmor profile, or create fails"],
    ["selinux", "APPLY", "the program has the SELinux label, or create fails"],
    ["capability-unknown", "MUST", "a capability that cannot be given is warned of"],
    ["capability-go-on", "SHOULD NOT", "a capability that cannot be given does not fail create"],
    ["capability-effective", "APPLY", "the effective set is exactly the one of the config"],
    ["capability-bounding", "APPLY", "the bounding set is exactly the one of the config"],
    ["capability-inheritable", "APPLY", "the inheritable set is exactly the one of the config"],
    ["capability-permitted", "APPLY", "the permitted set is exactly the one of the config"],
    ["capability-ambient", "APPLY", "the ambient set is exactly the one of the config"],
    ["no-new-privileges", "APPLY", "with noNewPrivileges the program has no_new_privs"],
    ["oom-score", "MUST", "oom_score_adj is the one of the config"],
    ["oom-score-untouched", "MUST NOT", "without oomScoreAdj it is the caller's"],
    ["scheduler", "APPLY", "the program has the scheduling policy of the config"],
    ["scheduler-nice", "APPLY", "nice is the one of the config"],
    ["scheduler-nice-default", "MUST", "without nice it is 0"],
    [
      "scheduler-priority-default",
      "MUST",
      "without a priority it is 0: a real-time policy is refused then",
    ],
    [
      "scheduler-deadline-default",
      "MUST",
      "runtime, deadline and period are 0 when they are not given",
      "SCHED_DEADLINE with zeros is refused by the kernel like any other mistake, and takes CAP_SYS_NICE here",
    ],
    ["io-priority", "APPLY", "the program has the I/O priority of the config"],
    [
      "cpu-affinity",
      "APPLY",
      "a process of exec runs on the processors of execCPUAffinity",
      "exec is not an operation of the specification",
    ],
  ],
  "POSIX-platform User": [
    ["user-uid", "APPLY", "the program runs as uid"],
    ["user-gid", "APPLY", "the program runs in gid"],
    ["user-umask", "APPLY", "the program has umask"],
    ["user-umask-untouched", "SHOULD NOT", "without umask it is the caller's"],
    ["user-groups", "APPLY", "the program has exactly additionalGids besides gid"],
    ["user-mapped", "APPLY", "uid and gid are those of the container's user namespace"],
  ],
  Hostname: [["hostname", "APPLY", "the container has the host name of the config"]],
  Domainname: [["domainname", "APPLY", "the container has the domain name of the config"]],
  "Platform-specific configuration": [
    ["platform-windows", "MUST", "`windows` is set for Windows", otherSystem],
  ],
  Annotations: [
    ["annotation-map", "MUST", "annotations that are no map are refused"],
    ["annotation-key-string", "MUST", "keys are strings", "JSON has no other keys"],
    ["annotation-key-empty", "MUST NOT", "an annotation with an empty key is refused"],
    ["annotation-key-domain", "SHOULD", "keys are named by reversed domains", aboutConfigs],
    [
      "annotation-reserved",
      "MUST",
      "keys of org.opencontainers are used as the specification says",
      aboutConfigs,
    ],
    [
      "annotation-image",
      "MUST",
      "values of org.opencontainers.image are those of the image specification",
      aboutConfigs,
    ],
    [
      "annotation-stop-signal",
      "SHOULD",
      "org.opencontainers.image.stopSignal is the signal by which to stop",
      "kill is always told the signal: it is for those who call it",
    ],
    ["annotation-unknown", "MUST", "an annotation that nobody knows is kept and otherwise ignored"],
    ["annotation-value-string", "MUST", "an annotation whose value is no string is refused"],
    ["annotation-value-empty", "APPLY", "an annotation may be empty"],
  ],
  Extensibility: [
    ["unknown-ignored", "MUST", "properties that nobody knows change nothing"],
    ["unknown-no-error", "MUST", "properties that nobody knows are no error"],
  ],
  "Valid values": [
    ["invalid-value", "MUST", "a value that is none of those defined is refused"],
    ["invalid-type", "MUST", "a value of another type is refused"],
  ],
});
