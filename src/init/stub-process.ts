// Starts the init stub: a sealed file in memory, a socket to talk through, and nothing of the runtime's own binary.

import { stubImages } from "../../build/stub-images.ts";
import { architecture } from "../abi/architecture.ts";
import { errnos } from "../abi/errno.ts";
import { AT_FDCWD, fcntlCommands, memfdFlags, openFlags, sealFlags } from "../abi/file.ts";
import { socketTypes } from "../abi/socket.ts";
import { debug } from "../base/debug.ts";
import { execute, must, mustForOutput } from "../ffi/execute.ts";
import { spawn } from "../ffi/spawn.ts";
import { type OwnedFd, own } from "../host/files.ts";
import { close, fcntl, memfdCreate, openat, write } from "../syscall/files.ts";
import { socketpair } from "../syscall/sockets.ts";
import { type StubImage, withDoorbell } from "./stub/stub-image.ts";

const generated = stubImages[architecture];

/** Address of the stub's code that ends it, for a signal handler. */
export const stubExitAddress = generated.exitAddress;

export type StubProcess = {
  readonly pid: number;
  /** Our end of the socket. */
  readonly doorbell: OwnedFd;
  /** The number of its end. */
  readonly stubDoorbell: number;
};

/** So far behind its socket the stub is given no descriptors: there they are moved before they are handed on. */
const handOverDistance = 100;

/**
 * Starts a stub that waits for its first batch. Run by the runtime, from the main thread.
 *
 * @param request.descriptors what the stub gets besides its socket: its own number for each
 * @throws `syscall` fault
 */
export function startStub(request: {
  readonly doorbellFd: number;
  /** A directory of root's, for hosts that execute no files in memory; `/run` when absent. */
  readonly directory?: string;
  readonly descriptors: readonly { readonly from: number; readonly to: number }[];
}): StubProcess {
  const doing = "starting container init";
  const { output } = mustForOutput(
    socketpair(socketTypes.SOCK_STREAM | socketTypes.SOCK_CLOEXEC),
    doing,
  );
  const [ours = -1, theirs = -1] = new Int32Array(output.buffer);
  const doorbell = own(ours);
  try {
    using executable = sealedStub({ directory: "/run", ...request });
    const handOverFrom = request.doorbellFd + handOverDistance;
    using child = own(duplicateUp(theirs, handOverFrom, doing));
    execute(close(theirs));
    const moved = request.descriptors.map(({ from, to }) => ({
      from: duplicateUp(from, handOverFrom, doing),
      to,
    }));
    const pid = spawn({
      path: `/proc/self/fd/${executable.fd}`,
      argv: ["ts-runc:init"],
      env: [],
      descriptors: [{ from: child.fd, to: request.doorbellFd }, ...moved],
      doing,
    });
    for (const { from } of moved) execute(close(from));
    debug(() => `init stub: process ${pid}`);
    return { pid, doorbell, stubDoorbell: request.doorbellFd };
  } catch (error) {
    doorbell[Symbol.dispose]();
    throw error;
  }
}

type StubFile = { readonly doorbellFd: number; readonly directory: string };

/**
 * Writes the stub into memory and seals it: whoever gets hold of /proc/PID/exe of a container's init can neither write
 * it nor find anything of the host behind it (CVE-2019-5736).
 */
function sealedStub({ doorbellFd, directory }: StubFile): OwnedFd {
  const doing = "preparing container init";
  const { MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_EXEC } = memfdFlags;
  const { F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE } = sealFlags;
  const name = "ts-runc-init";
  const withExec = execute(memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC));
  // Kernels before 6.3 do not know MFD_EXEC, and allow execution without it.
  const fd =
    withExec === -errnos.EINVAL
      ? must(memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), doing)
      : withExec;
  if (fd === -errnos.EACCES) return unnamedStub({ doorbellFd, directory });
  const file = own(fd < 0 ? must(memfdCreate(name, MFD_CLOEXEC), doing) : fd);
  must(write(file.fd, withDoorbell(stubFile(), doorbellFd)), doing);
  const seals = F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_WRITE;
  must(fcntl(file.fd, fcntlCommands.F_ADD_SEALS, seals), doing);
  return file;
}

/** Where vm.memfd_noexec forbids executable memory files: a file without a name, reopened so that nobody can write it. */
function unnamedStub({ doorbellFd, directory }: StubFile): OwnedFd {
  const doing = "preparing container init (vm.memfd_noexec is set)";
  const { O_CLOEXEC, O_RDWR, O_TMPFILE } = openFlags;
  using file = own(
    must(
      openat(AT_FDCWD, directory, { flags: O_TMPFILE | O_RDWR | O_CLOEXEC, mode: 0o500 }),
      doing,
    ),
  );
  must(write(file.fd, withDoorbell(stubFile(), doorbellFd)), doing);
  return own(must(openat(AT_FDCWD, `/proc/self/fd/${file.fd}`, { flags: O_CLOEXEC }), doing));
}

/** The stub as it was assembled when ts-runc was built. */
function stubFile(): StubImage {
  return { ...generated, bytes: new Uint8Array(generated.file) };
}

function duplicateUp(fd: number, from: number, doing: string): number {
  return must(fcntl(fd, fcntlCommands.F_DUPFD_CLOEXEC, from), doing);
}
