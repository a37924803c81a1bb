// The commands and their options: the one source of the parser, the help texts and the completion; not what commands do.

import type { Invocation } from "./invocation.ts";
import type { Option } from "./options.ts";

export type Command = {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly usage: string;
  /** What follows the options in the usage line. */
  readonly argumentsUsage: string;
  readonly description: string;
  readonly options: readonly Option[];
  readonly positionals: { readonly min: number; readonly max: number };
  /** What callers of runc read in front of this command's errors. */
  readonly failure?: string;
  /** Exit status of a failure of ours, where it is not 1: the caller can tell it from the program's. */
  readonly failureStatus?: number;
  /** Loads the command's file; commands that are not called are not loaded. Resolves to the function that does it. */
  readonly load: () => Promise<(invocation: Invocation) => number | Promise<number>>;
};

export const globalOptions: readonly Option[] = [
  { name: "debug", kind: "flag", usage: "enable debug logging" },
  {
    name: "log",
    kind: "text",
    usage: "set the log file to write runc logs to (default is '/dev/stderr')",
  },
  {
    name: "log-format",
    kind: "text",
    fallback: "text",
    usage: "set the log format ('text' (default), or 'json')",
  },
  {
    name: "root",
    kind: "text",
    fallback: "/run/ts-runc",
    usage:
      "root directory for storage of container state (this should be located in tmpfs); " +
      "$XDG_RUNTIME_DIR/ts-runc for a rootless caller",
  },
  {
    name: "systemd-cgroup",
    kind: "flag",
    usage:
      "enable systemd cgroup support, expects cgroupsPath to be of form " +
      '"slice:prefix:name" for e.g. "system.slice:runc:434234"',
  },
  {
    name: "rootless",
    kind: "text",
    fallback: "auto",
    usage: "ignore cgroup permission errors ('true', 'false', or 'auto')",
  },
  { name: "help", short: "h", kind: "flag", usage: "show help" },
  { name: "version", short: "v", kind: "flag", usage: "print the version" },
];

const one = { min: 1, max: 1 } as const;
const none = { min: 0, max: 0 } as const;

const newInstance = `<container-id>

Where "<container-id>" is your name for the instance of the container that you
are starting. The name you provide for the container instance must be unique on
your host.`;

const instance = `<container-id>

Where "<container-id>" is your name for the instance of the container.`;

const fromBundle = `The bundle is a directory with a specification file named "config.json" and a
root filesystem.

The specification file includes an args parameter, which says which command is
run when the container is started. See "ts-runc spec --help".`;

const consoleSocket: Option = {
  name: "console-socket",
  kind: "text",
  usage:
    "path to an AF_UNIX socket which will receive a file descriptor referencing the master end " +
    "of the console's pseudoterminal",
};
const pidFile: Option = {
  name: "pid-file",
  kind: "text",
  usage: "specify the file to write the process id to",
};
const detach: Option = {
  name: "detach",
  short: "d",
  kind: "flag",
  usage: "detach from the container's process",
};
const preserveFds: Option = {
  name: "preserve-fds",
  kind: "integer",
  fallback: 0,
  usage: "Pass N additional file descriptors to the container (stdio + $LISTEN_FDS + N in total)",
};

const creationOptions: readonly Option[] = [
  {
    name: "bundle",
    short: "b",
    kind: "text",
    usage: "path to the root of the bundle directory, defaults to the current directory",
  },
  consoleSocket,
  pidFile,
  {
    name: "no-pivot",
    kind: "flag",
    usage:
      "do not use pivot root to jail process inside rootfs.  This should be used whenever the " +
      "rootfs is on top of a ramdisk",
  },
  {
    name: "no-new-keyring",
    kind: "flag",
    usage:
      "do not create a new session keyring for the container.  This will cause the container to " +
      "inherit the calling processes session key",
  },
  preserveFds,
];

const execOptions: readonly Option[] = [
  consoleSocket,
  {
    name: "pidfd-socket",
    kind: "text",
    usage:
      "path to an AF_UNIX socket which will receive a file descriptor referencing the exec process",
  },
  { name: "cwd", kind: "text", usage: "current working directory in the container" },
  { name: "env", short: "e", kind: "texts", usage: "set environment variables" },
  { name: "tty", short: "t", kind: "flag", usage: "allocate a pseudo-TTY" },
  { name: "user", short: "u", kind: "text", usage: "UID (format: <uid>[:<gid>])" },
  { name: "additional-gids", short: "g", kind: "integers", usage: "additional gids" },
  { name: "process", short: "p", kind: "text", usage: "path to the process.json" },
  detach,
  pidFile,
  {
    name: "process-label",
    kind: "text",
    usage: "set the asm process label for the process commonly used with selinux",
  },
  { name: "apparmor", kind: "text", usage: "set the apparmor profile for the process" },
  {
    name: "no-new-privs",
    kind: "flag",
    usage: "set the no new privileges value for the process",
  },
  {
    name: "cap",
    short: "c",
    kind: "texts",
    usage: "add a capability to the bounding set for the process",
  },
  preserveFds,
  {
    name: "cgroup",
    kind: "texts",
    usage: "run the process in an (existing) sub-cgroup(s). Format is [<controller>:]<cgroup>.",
  },
  { name: "ignore-paused", kind: "flag", usage: "allow exec in a paused container" },
];

export const commands: readonly Command[] = [
  {
    name: "create",
    usage: "create a container",
    argumentsUsage: newInstance,
    description: `The create command creates an instance of a container for a bundle.\n${fromBundle}`,
    options: creationOptions,
    positionals: one,
    failure: "runc create failed",
    load: async () => (await import("./create.ts")).create,
  },
  {
    name: "delete",
    usage: "delete any resources held by the container often used with detached container",
    argumentsUsage: instance,
    description: `For example, if the container id is "ubuntu01" and ts-runc list shows that it is
stopped, the following deletes the resources held for it:

       # ts-runc delete ubuntu01`,
    options: [
      {
        name: "force",
        short: "f",
        kind: "flag",
        usage: "Forcibly deletes the container if it is still running (uses SIGKILL)",
      },
    ],
    positionals: one,
    load: async () => (await import("./delete.ts")).deleteCommand,
  },
  {
    name: "exec",
    usage: "execute new process inside the container",
    argumentsUsage: `<container-id> <command> [command options]  || -p process.json <container-id>

Where "<container-id>" is the name for the instance of the container and
"<command>" is the command to be executed in the container.
"<command>" can't be empty unless a "-p" flag provided.`,
    description: `For example, if the container is configured to run the linux ps command the
following will output a list of processes running in the container:

       # ts-runc exec <container-id> ps`,
    options: execOptions,
    positionals: { min: 1, max: Number.POSITIVE_INFINITY },
    failure: "exec failed",
    failureStatus: 255,
    load: async () => (await import("./exec.ts")).exec,
  },
  {
    name: "kill",
    usage: "kill sends the specified signal (default: SIGTERM) to the container's init process",
    argumentsUsage: `<container-id> [signal]

Where "<container-id>" is the name for the instance of the container and
"[signal]" is the signal to be sent to the init process.`,
    description: `For example, if the container id is "ubuntu01" the following will send a "KILL"
signal to the init process of the "ubuntu01" container:

       # ts-runc kill ubuntu01 KILL`,
    options: [
      {
        name: "all",
        short: "a",
        kind: "flag",
        hidden: true,
        usage: "(obsoleted, do not use) succeed when the container is not running",
      },
    ],
    positionals: { min: 1, max: 2 },
    load: async () => (await import("./kill.ts")).kill,
  },
  {
    name: "list",
    usage: "lists containers started by ts-runc with the given root",
    argumentsUsage: `

Where the given root is specified via the global option "--root"
(default: "/run/ts-runc").`,
    description: `To list containers created via the default "--root":
       # ts-runc list

To list containers created using a non-default value for "--root":
       # ts-runc --root value list`,
    options: [
      {
        name: "format",
        short: "f",
        kind: "text",
        fallback: "table",
        usage: "select one of: table or json",
      },
      { name: "quiet", short: "q", kind: "flag", usage: "display only container IDs" },
    ],
    positionals: none,
    load: async () => (await import("./list.ts")).list,
  },
  {
    name: "run",
    usage: "create and run a container",
    argumentsUsage: newInstance,
    description: `The run command creates an instance of a container for a bundle and starts it.\n${fromBundle}`,
    options: [
      ...creationOptions,
      detach,
      { name: "keep", kind: "flag", usage: "do not delete the container after it exits" },
      {
        name: "no-subreaper",
        kind: "flag",
        usage: "disable the use of the subreaper used to reap reparented processes",
      },
    ],
    positionals: one,
    failure: "runc run failed",
    load: async () => (await import("./run.ts")).run,
  },
  {
    name: "spec",
    usage: "create a new specification file",
    argumentsUsage: "",
    description: `The spec command creates the new specification file named "config.json" for
the bundle.

The spec generated is just a starter file. For example, its args parameter calls
"sh", which not every root filesystem has.

A rootless container can be run without root privilege. It needs an adjusted
specification, which --rootless writes.`,
    options: [
      {
        name: "bundle",
        short: "b",
        kind: "text",
        usage: "path to the root of the bundle directory",
      },
      {
        name: "rootless",
        kind: "flag",
        usage: "generate a configuration for a rootless container",
      },
    ],
    positionals: none,
    load: async () => (await import("./spec.ts")).spec,
  },
  {
    name: "start",
    usage: "executes the user defined process in a created container",
    argumentsUsage: instance,
    description: "The start command executes the user defined process in a created container.",
    options: [],
    positionals: one,
    load: async () => (await import("./start.ts")).start,
  },
  {
    name: "state",
    usage: "output the state of a container",
    argumentsUsage: instance,
    description: `The state command outputs current state information for the
instance of a container.`,
    options: [],
    positionals: one,
    load: async () => (await import("./state.ts")).state,
  },
  {
    name: "features",
    usage: "show the enabled features",
    argumentsUsage: "",
    description: `Show the enabled features as JSON, in the form of the runtime specification's
features.md.`,
    options: [],
    positionals: none,
    load: async () => (await import("./features.ts")).features,
  },
  {
    name: "program",
    usage: "print what would be done for a bundle, call by call",
    argumentsUsage: "",
    description: `Prints the system calls that init would make for the bundle on this host, with
what each is for, and what the runtime does beside them. Nothing is done.`,
    options: [
      {
        name: "bundle",
        short: "b",
        kind: "text",
        usage: "path to the root of the bundle directory, defaults to the current directory",
      },
    ],
    positionals: none,
    load: async () => (await import("./program.ts")).program,
  },
  {
    name: "completion",
    usage: "print a completion script for bash",
    argumentsUsage: "",
    description: `Put its output into a file that bash reads at start:

       # ts-runc completion > /etc/bash_completion.d/ts-runc`,
    options: [],
    positionals: none,
    load: async () => (await import("./help.ts")).completion,
  },
];
