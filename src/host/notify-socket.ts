// The sockets of sd_notify(3) on the host: ours, which the container is shown, and the service manager's, which we tell.

import { errnos } from "../abi/errno.ts";
import { AT_FDCWD, atFlags, openFlags } from "../abi/file.ts";
import { openTreeFlags } from "../abi/mount.ts";
import { pollEvents, socketFamilies, socketPathMaxBytes, socketTypes } from "../abi/socket.ts";
import { raise } from "../base/fault.ts";
import { execute, executeForOutput, must, mustForOutput, raiseErrno } from "../ffi/execute.ts";
import { notifyAttributes } from "../inside/notify.ts";
import { fchmodat, mkdirat, read, unlinkat, write } from "../syscall/files.ts";
import { mountSetattr, openTree } from "../syscall/mounts.ts";
import { bindPath, connectAbstract, connectPath, ppoll, socket } from "../syscall/sockets.ts";
import { call, flags, outputOperand } from "../syscall/value.ts";
import { type OwnedFd, own } from "./files.ts";
import { sendDescriptor } from "./sockets.ts";

const { SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } = socketTypes;

/** A path of any length: sockaddr_un holds 107 bytes, the state root may be longer. */
function placeIn(directory: OwnedFd, name = ""): string {
  return `/proc/self/fd/${directory.fd}/notify${name}`;
}

/**
 * Makes the directory for the socket in the container's, and returns a mount of it that has no place yet. Everybody may
 * look into it, nobody may write: it is shown to a container.
 *
 * @param directory the container's state directory
 * @returns undefined for an ordinary user, whose init makes the mount: the caller's mounts are not the user's
 * @throws `syscall` fault
 */
export function makeNotifyMount(directory: OwnedFd, ordinaryUser: boolean): OwnedFd | undefined {
  const doing = "making the directory of the notify socket";
  const path = placeIn(directory);
  must(mkdirat(AT_FDCWD, path, 0o755), doing);
  must(fchmodat(AT_FDCWD, path, 0o755), doing);
  if (ordinaryUser) return undefined;
  const { OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC } = openTreeFlags;
  const mount = own(must(openTree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), doing));
  must(mountSetattr(mount.fd, "", { flags: atFlags.AT_EMPTY_PATH, set: notifyAttributes }), doing);
  return mount;
}

/**
 * Makes the socket in that directory. To be called under the container's lock, before anything of the container runs.
 *
 * @returns undefined when the container was created without the directory
 * @throws `syscall` fault
 */
export function bindNotifySocket(directory: OwnedFd): OwnedFd | undefined {
  const doing = "making the notify socket";
  const path = placeIn(directory, "/notify.sock");
  const ours = own(must(socket(socketFamilies.AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC), doing));
  // A `start` that was killed has left one.
  execute(unlinkat(AT_FDCWD, path));
  const result = execute(bindPath(ours.fd, path));
  if (result === -errnos.ENOENT) {
    ours[Symbol.dispose]();
    return undefined;
  }
  if (result < 0) raiseErrno(bindPath(ours.fd, path), doing, result);
  // Whatever user the container has; the state root keeps those of the host away.
  must(fchmodat(AT_FDCWD, path, 0o777), doing);
  return ours;
}

/** The kernel gives no more of a datagram than is asked for: what a hostile container sends takes no memory of ours. */
const datagramMaxBytes = 4096;

/** Reads one message; undefined when there is none, or not as text. */
export function readNotification(ours: OwnedFd): string | undefined {
  if (execute(ppoll(ours.fd, pollEvents.POLLIN, 0)) <= 0) return undefined;
  const { result, output } = executeForOutput(read(ours.fd, datagramMaxBytes));
  return result < 0 ? undefined : new TextDecoder().decode(output.subarray(0, result));
}

/**
 * Connects to the service manager's socket; its address is a path, or `@` and an abstract name.
 *
 * @throws `syscall` fault; `refused` when the address is neither
 */
export function connectManager(address: string): OwnedFd {
  const doing = `connecting to $NOTIFY_SOCKET ${address}`;
  if (!/^[@/]/.test(address) || Buffer.byteLength(address) > socketPathMaxBytes) {
    raise({ kind: "refused", message: `${doing}: neither an absolute path nor an abstract name` });
  }
  const type = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const manager = own(must(socket(socketFamilies.AF_UNIX, type), doing));
  const connect = address.startsWith("@")
    ? connectAbstract(manager.fd, address.slice(1))
    : connectPath(manager.fd, address);
  const result = execute(connect);
  if (result === 0) return manager;
  manager[Symbol.dispose]();
  return raiseErrno(connect, doing, result);
}

/** How long a service manager may leave its socket full. */
const sendTimeoutMs = 5000;

/**
 * Sends the manager one message.
 *
 * @throws `syscall` fault
 */
export function notifyManager(manager: OwnedFd, message: string): void {
  execute(ppoll(manager.fd, pollEvents.POLLOUT, sendTimeoutMs));
  must(write(manager.fd, new TextEncoder().encode(message)), "notifying the service manager");
}

const barrierTimeoutMs = 30_000;

/**
 * Waits until the manager has read what it was sent, sd_notify_barrier(3): a message of a process that is gone by then could
 * not be told whose it was.
 *
 * @throws `syscall` fault
 */
export function awaitManager(manager: OwnedFd): void {
  const doing = "waiting for the service manager";
  const pipe2 = call("pipe2", outputOperand(8), flags(openFlags, openFlags.O_CLOEXEC));
  const { output } = mustForOutput(pipe2, doing);
  const [readEnd = -1, writeEnd = -1] = new Int32Array(output.buffer);
  using ours = own(readEnd);
  {
    using theirs = own(writeEnd);
    sendDescriptor(manager, theirs, { text: "BARRIER=1", doing });
  }
  execute(ppoll(ours.fd, 0, barrierTimeoutMs));
}
