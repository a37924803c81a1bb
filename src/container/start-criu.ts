// Starts the CRIU that restores a container: a stub makes the root to restore onto, in a mount namespace of its own, joins the
// container's cgroup, and becomes CRIU by execve; what it is asked then says what it has been given.

import { signals } from "../abi/process.ts";
import { present } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import { UndoStack } from "../base/undo-stack.ts";
import { applyResources } from "../host/cgroups/apply.ts";
import { joinCgroup, makeCgroup } from "../host/cgroups/make.ts";
import { killAll } from "../host/cgroups/processes.ts";
import type { Started } from "../host/criu/service.ts";
import { makeDirectories, type OwnedFd, openFile, readText } from "../host/files.ts";
import { readLink } from "../host/processes.ts";
import { fetchDescriptor } from "../host/terminal.ts";
import type { Answer } from "../init/answer.ts";
import { drive, endInit, type LiveInit, liveInit } from "../init/drive.ts";
import { startStub } from "../init/stub-process.ts";
import { closeAtExecve, executeProgram, leaveRuntime, settleStub } from "../inside/process.ts";
import {
  type CriuDirectory,
  makeRestoredRoot,
  openForCriu,
  pathSlot,
  socketsSlot,
} from "../inside/restored-root.ts";
import { descriptorsName, type JoinedNamespace, namespacesLeftAlone } from "../plan/checkpoint.ts";
import type { CriuOptions, ExternalMount } from "../plan/criu.ts";
import { deviceMounts, externalMounts, maskName, notifyMount } from "../plan/external-mounts.ts";
import { relayFd } from "../plan/host-facts.ts";
import { parseCgroupRoots, planRestore, type RestoreChoices } from "../plan/restore.ts";
import { batch } from "../program/program.ts";
import { step } from "../program/step.ts";
import { dup3 } from "../syscall/files.ts";
import type { CreateOptions, Prepared } from "./prepare.ts";
import { launch } from "./start-init.ts";
import { containerPaths } from "./store.ts";

export type RestoreOptions = CreateOptions &
  RestoreChoices & {
    /** Absolute. */
    readonly imagePath: string;
    readonly workPath: string | undefined;
  };

type Restoration = {
  readonly options: RestoreOptions;
  readonly prepared: Prepared;
  readonly directory: OwnedFd;
  readonly undo: UndoStack;
  /** Directories of groups that have been made. */
  readonly made: string[];
};

/** Where the rootfs is mounted in the mount namespace of CRIU; by its real path, as the mount table will have it. */
export function rootPlace(directory: OwnedFd): string {
  return `${readLink(`/proc/self/fd/${directory.fd}`)}/criu-root`;
}

/**
 * Starts a stub that becomes CRIU, in the container's cgroup, and says what it is to be asked.
 *
 * @param criu how CRIU is started; loaded by the caller
 * @throws FaultError; the stub has ended then
 */
export async function startRestore(
  restoration: Restoration,
  criu: typeof import("../host/criu/service.ts"),
): Promise<Started> {
  const { options, prepared, directory } = restoration;
  const { spec } = prepared;
  const path = criu.findCriu();
  const place = rootPlace(directory);
  makeDirectories(place, 0o755, "making the root to restore the container onto");
  using namespaces = openNamespaces(namespacesLeftAlone(spec.linux ?? {}));
  const numbers = criuNumbers(restoration, criu.criuSocketFd, namespaces.fds.length);
  const stub = startStub({
    doorbellFd: numbers.doorbell,
    directory: containerPaths(options).directory,
    descriptors: namespaces.fds.map((from, index) => ({ from, to: numbers.namespaces + index })),
  });
  using doorbell = stub.doorbell;
  const init = liveInit(stub);
  const sockets = new UndoStack();
  try {
    const answer = makeRoot(restoration, { init, numbers, place });
    const [ours = -1, theirs = -1] = new Int32Array(
      present(answer.outputs.get(socketsSlot), "the socket of criu").slice().buffer,
    );
    const socket = sockets.use(fetchDescriptor(stub.pid, ours, "fetching the socket of criu"));
    await enterGroups(restoration, stub.pid);
    // Its children are born into the group that it is in.
    const resctrl = prepared.resctrl?.enter(stub.pid);
    if (resctrl !== undefined) restoration.undo.use(resctrl);
    const opts = restoreRequest(restoration, { answer, numbers, place, pid: stub.pid });
    launch({ doorbell: doorbell.fd, pid: init.pid }, [
      // CRIU has to clean up by itself when we die: it sees the end of our socket.
      ...leaveRuntime(),
      step("handing criu its socket", dup3(theirs, criu.criuSocketFd)),
      ...closeAtExecve(path, numbers.doorbell),
      ...executeProgram({ path, args: criu.criuArguments, env: criu.callerEnvironment() }),
    ]);
    return { pid: stub.pid, socket, request: { type: "RESTORE", opts } };
  } catch (error) {
    sockets.dispose();
    endInit(init);
    throw error;
  }
}

/** Has the process in the container's groups, which are made and limited; systemd wants a process to make its own for. */
async function enterGroups({ prepared, made, undo }: Restoration, pid: number): Promise<void> {
  const { cgroup, systemd } = prepared;
  await systemd?.start(pid);
  made.push(...makeCgroup(cgroup));
  // Not before it is known that nobody else is in them.
  undo.defer(() => killAll(cgroup.paths, signals.SIGKILL));
  joinCgroup(cgroup.paths, pid);
  await systemd?.setResources();
  applyResources(cgroup, "devices");
  applyResources(cgroup, "limits");
}

/** The descriptors of CRIU: its socket, the namespaces that are left alone, its directories. What follows closes by itself. */
type CriuNumbers = {
  readonly directories: readonly CriuDirectory[];
  readonly namespaces: number;
  readonly images: number;
  readonly work: number | undefined;
  readonly doorbell: number;
};

function criuNumbers(
  { options }: Restoration,
  socket: number,
  namespaceCount: number,
): CriuNumbers {
  const { imagePath, workPath } = options;
  const namespaces = socket + 1;
  const images = namespaces + namespaceCount;
  const work = workPath === undefined ? undefined : images + 1;
  return {
    namespaces,
    images,
    work,
    doorbell: (work ?? images) + 1,
    directories: [
      { path: imagePath, fd: images },
      ...(work === undefined || workPath === undefined ? [] : [{ path: workPath, fd: work }]),
    ],
  };
}

function restoreRequest(
  restoration: Restoration,
  stub: {
    readonly answer: Answer;
    readonly numbers: CriuNumbers;
    readonly place: string;
    readonly pid: number;
  },
): CriuOptions {
  const { options, prepared } = restoration;
  const { facts, spec } = prepared;
  const groups = readText(`/proc/${stub.pid}/cgroup`, "looking at the cgroups of criu");
  return planRestore(options, {
    imagesFd: stub.numbers.images,
    workFd: stub.numbers.work,
    root: ownsMounts(prepared) ? stub.place : facts.root.path,
    annotations: spec.annotations ?? {},
    linux: spec.linux ?? {},
    cgroupRoots: parseCgroupRoots(groups),
    mounts: findExternalMounts(restoration, stub),
    descriptors: readDescriptors(options.imagePath),
    firstNamespaceFd: stub.numbers.namespaces,
  });
}

function ownsMounts({ spec }: Prepared): boolean {
  return (spec.linux?.namespaces ?? []).some(({ type }) => type === "mount");
}

/** Without a mount namespace of its own the container stays in the host's, and CRIU must be in it, too. */
function makeRoot(
  { prepared }: Restoration,
  stub: { readonly init: LiveInit; readonly numbers: CriuNumbers; readonly place: string },
): Answer {
  const { facts, spec } = prepared;
  const steps = [
    ...settleStub({ runtimePid: facts.runtimePid, firstForeignFd: stub.numbers.doorbell + 1 }),
    ...(ownsMounts(prepared)
      ? makeRestoredRoot({
          root: facts.root,
          place: stub.place,
          mounts: spec.mounts ?? [],
          bundle: facts.bundle,
          relayFd: relayFd(0),
        })
      : []),
    ...openForCriu(stub.numbers.directories),
  ];
  return drive(stub.init, { parts: [batch("root to restore onto", steps)] });
}

/** @throws `refused` fault in runc's words */
function openNamespaces(
  namespaces: readonly JoinedNamespace[],
): Disposable & { readonly fds: readonly number[] } {
  const opened = new UndoStack();
  try {
    const fds = namespaces.map(({ type, path }) => {
      const doing = `opening the ${type} namespace ${path}, which must exist`;
      return opened.use(openFile(path, { flags: 0, doing })).fd;
    });
    return { fds, [Symbol.dispose]: () => opened.dispose() };
  } catch (error) {
    opened.dispose();
    throw error;
  }
}

/** The sources on the host of what CRIU has not saved, by the names that the checkpoint gave them. */
function findExternalMounts(
  { prepared, options }: Restoration,
  root: { readonly answer: Answer; readonly place: string },
): readonly ExternalMount[] {
  const { facts, spec } = prepared;
  const { bundle, cgroup } = facts;
  const notify = `${containerPaths(options).directory}/notify`;
  makeDirectories(notify, 0o755, "making the directory of the notify socket");
  const mounts = [...externalMounts(spec, { bundle, cgroup }), notifyMount(notify)];
  const destinations = (spec.mounts ?? []).map(({ destination }) => destination);
  const devices = [...deviceMounts(spec), { destination: maskName, source: maskName }];
  return [...mounts, ...devices].map(({ destination, source }) => {
    const index = destinations.indexOf(destination);
    return { key: readPath(root, index) ?? destination, val: source };
  });
}

/** Where the rootfs has the mount point of a bind: through its own links. */
function readPath(
  { answer, place }: { readonly answer: Answer; readonly place: string },
  index: number,
): string | undefined {
  const slot = pathSlot(index);
  const length = answer.results.get(slot);
  const output = answer.outputs.get(slot);
  if (length === undefined || output === undefined) return undefined;
  const path = new TextDecoder().decode(output.subarray(0, length));
  return path.startsWith(`${place}/`) ? path.slice(place.length) : undefined;
}

const descriptorsMaxBytes = 64 * 1024;

/** What the standard streams were at the checkpoint. */
function readDescriptors(images: string): readonly string[] {
  const path = `${images}/${descriptorsName}`;
  const text = readText(path, "reading what the standard streams were", descriptorsMaxBytes);
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value.map(String);
  } catch (cause) {
    return raise({ kind: "json", document: path, message: String(cause) }, cause);
  }
  return raise({ kind: "json", document: path, message: "is no array" });
}
