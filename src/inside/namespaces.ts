// Entering the container's namespaces, new ones and existing ones, and becoming the process that will be init.

import { AT_FDCWD, openFlags } from "../abi/file.ts";
import { cloneFlags, prctlOptions, signals } from "../abi/process.ts";
import { initPidSlot } from "../program/program.ts";
import { ignore, type Step, step } from "../program/step.ts";
import type { Namespace, NamespaceType } from "../spec/types.ts";
import { setgroups, setresgid, setresuid } from "../syscall/credentials.ts";
import { close, openat } from "../syscall/files.ts";
import {
  clone,
  cloneIntoCgroup,
  exitGroup,
  namespaceType,
  prctl,
  setns,
  setsid,
  unshare,
} from "../syscall/processes.ts";
import { answerOperand, call, fdOperand, slot } from "../syscall/value.ts";

const { PR_SET_PDEATHSIG } = prctlOptions;

/** The flag of each type of namespace. */
export const namespaceFlags: Readonly<Record<NamespaceType, number>> = {
  user: cloneFlags.CLONE_NEWUSER,
  pid: cloneFlags.CLONE_NEWPID,
  network: cloneFlags.CLONE_NEWNET,
  ipc: cloneFlags.CLONE_NEWIPC,
  uts: cloneFlags.CLONE_NEWUTS,
  mount: cloneFlags.CLONE_NEWNS,
  cgroup: cloneFlags.CLONE_NEWCGROUP,
  time: cloneFlags.CLONE_NEWTIME,
};

/** A namespace of config.json once its path, if any, is known to be one. */
export type JoinedNamespace = { readonly type: NamespaceType; readonly path: string };

/** The namespaces that exist and are joined, in an order that works: the mount namespace last, for the paths of the others. */
export function joinedNamespaces(namespaces: readonly Namespace[]): readonly JoinedNamespace[] {
  const joined = namespaces
    .map(({ type, path }) => (path === undefined || path === "" ? [] : [{ type, path }]))
    .flat();
  return [
    ...joined.filter(({ type }) => type !== "mount"),
    ...joined.filter(({ type }) => type === "mount"),
  ];
}

/** The types of which the container gets a new one. */
export function newNamespaces(namespaces: readonly Namespace[]): readonly NamespaceType[] {
  return namespaces.filter(({ path }) => path === undefined || path === "").map(({ type }) => type);
}

/** So that a path to something else, a fifo or a terminal, has no effect. */
const openNamespace = openFlags.O_NONBLOCK | openFlags.O_NOCTTY | openFlags.O_CLOEXEC;

/**
 * Steps that join existing namespaces. Run by the stub before it makes new ones.
 *
 * All are opened first, while the paths mean what the caller meant. With a user namespace among them, those that it owns
 * can only be joined from inside it, and those of the host only from outside: each is tried before and, where that was
 * refused, again behind it.
 *
 * Spec: config-linux.md#namespaces: the runtime MUST place the container process in the namespace of the path, and MUST
 * generate an error if the path is not of the type given: it is asked for, and setns(2) refuses it, too.
 */
export function joinNamespaces(joined: readonly JoinedNamespace[], keepsGroups = false): Step[] {
  const user = joined.filter(({ type }) => type === "user")[0];
  const others = joined.filter(({ type }) => type !== "user");
  const opening = ({ type, path }: JoinedNamespace): string =>
    `opening the ${type} namespace ${path}`;
  const joining = ({ type, path }: JoinedNamespace): string =>
    `joining the ${type} namespace ${path}`;
  const open = joined
    .map((namespace) => {
      const { path, type } = namespace;
      return [
        step(opening(namespace), openat(AT_FDCWD, path, { flags: openNamespace }), {
          slot: `namespace.${type}`,
        }),
        step(
          `asking the ${type} namespace ${path} for its type`,
          namespaceType(slot(`namespace.${type}`)),
          {
            verify: { kind: "namespace", path, type, flag: namespaceFlags[type] },
          },
        ),
      ];
    })
    .flat();
  const enter = (namespace: JoinedNamespace): Step =>
    step(
      joining(namespace),
      setns(slot(`namespace.${namespace.type}`), namespaceFlags[namespace.type]),
    );
  const shut = joined.map((namespace) =>
    step(opening(namespace), close(slot(`namespace.${namespace.type}`))),
  );
  if (user === undefined) return [...open, ...others.map(enter), ...shut];
  // Joining a namespace twice is harmless. EPERM behind the user namespace means that the first try, from outside, had
  // to do; enteredNamespaces() looks at the results of both.
  const first = others.map((namespace) => ({
    ...enter(namespace),
    slot: `outside.${namespace.type}`,
    recovery: ignore("EPERM"),
  }));
  const second = others.map((namespace) => ({
    ...enter(namespace),
    slot: `inside.${namespace.type}`,
    recovery: ignore("EPERM"),
  }));
  return [...open, ...first, enter(user), ...second, ...shut, ...becomeRoot(keepsGroups)];
}

/**
 * Joins namespaces of a running process through its pidfd, in one call: a user namespace among them decides about none of
 * the others, and a process that was not looked into before cannot be swapped (setns(2), Linux 5.8). Run by exec's stub.
 */
export function joinNamespacesOf(pidfd: number, types: readonly NamespaceType[]): Step[] {
  if (types.length === 0) return [];
  const flags = joinFlags(types);
  return [step(`joining the container's namespaces ${types.join(", ")}`, setns(pidfd, flags))];
}

function joinFlags(types: readonly NamespaceType[]): number {
  let flags = 0;
  for (const type of types) flags |= namespaceFlags[type];
  return flags;
}

/** The types that neither try could join: a fault, since a container must not start in the host's. */
export function namespacesNotJoined(
  joined: readonly JoinedNamespace[],
  results: ReadonlyMap<string, number>,
): readonly JoinedNamespace[] {
  if (!joined.some(({ type }) => type === "user")) return [];
  return joined.filter(
    ({ type }) =>
      type !== "user" &&
      (results.get(`outside.${type}`) ?? -1) < 0 &&
      (results.get(`inside.${type}`) ?? -1) < 0,
  );
}

/** Steps that take the ids 0 of a user namespace whose maps are written: full capabilities in it need no ids, files do. */
export function becomeRoot(keepsGroups = false): Step[] {
  const doing = "becoming root of the user namespace";
  return [
    step(doing, setresgid(0)),
    step(doing, setresuid(0)),
    // Where setgroups is denied, an unprivileged map keeps the caller's groups.
    ...(keepsGroups ? [] : [step(doing, setgroups([]), { recovery: ignore("EPERM") })]),
  ];
}

/** Makes the user namespace, alone: the others are made inside it, so that it owns them. */
export function newUserNamespace(): Step[] {
  return [step("making the user namespace", unshare(namespaceFlags.user))];
}

/** Makes the other new namespaces; the cgroup namespace is made later, once init is in its cgroup. */
export function makeNamespaces(types: Iterable<NamespaceType>): Step[] {
  const made = [...types].filter((type) => type !== "user" && type !== "cgroup");
  if (made.length === 0) return [];
  const flags = joinFlags(made);
  return [step(`making the namespaces ${made.join(", ")}`, unshare(flags))];
}

/** Makes the cgroup namespace, whose root is the group that init is in by now. */
export function newCgroupNamespace(): Step[] {
  return [step("making the cgroup namespace", unshare(namespaceFlags.cgroup))];
}

/**
 * Steps that fork init, which a new or joined pid namespace needs: unshare(2) and setns(2) only place children. The half
 * that stays outside says the pid, which the runtime sees in its own namespace, and exits before anyone reads on.
 */
export function forkInit(options: {
  readonly doorbell: number;
  /** Descriptor of the v2 cgroup in which init is to be born; undefined when it has joined already, or there is none. */
  readonly cgroupFd: number | undefined;
}): Step[] {
  const { doorbell, cgroupFd } = options;
  const flags = cloneFlags.CLONE_PARENT;
  return [
    step(
      "forking init",
      cgroupFd === undefined
        ? clone({ flags, exitSignal: 0 })
        : cloneIntoCgroup({ flags, exitSignal: 0, cgroupFd }),
      {
        slot: initPidSlot,
        onZero: "skip",
        onSuccess: [
          step(
            "telling the pid of init",
            call("write", fdOperand(doorbell), answerOperand("address"), answerOperand("length")),
          ),
          step("leaving init to itself", exitGroup(0)),
        ],
      },
    ),
    // Not inherited over clone.
    ...dieWithRuntime(),
    ...(cgroupFd === undefined ? [] : [step("closing the cgroup", close(cgroupFd))]),
  ];
}

/** Steps after which the stub is killed when the runtime's main thread ends. */
export function dieWithRuntime(): Step[] {
  return [step("binding init's life to the runtime's", prctl(PR_SET_PDEATHSIG, signals.SIGKILL))];
}

/** Makes init the leader of a session of its own. */
export function newSession(): Step[] {
  // The stub that did not fork may lead a process group already; it then keeps its session.
  return [step("making a session", setsid(), { recovery: ignore("EPERM") })];
}
