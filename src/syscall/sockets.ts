// System calls on sockets and polling, as values.

import {
  eventfdFlags,
  messageFlags,
  SCM_RIGHTS,
  SIOCSIFFLAGS,
  SOL_SOCKET,
  socketFamilies,
  socketTypes,
} from "../abi/socket.ts";
import {
  controlMessage,
  ifreq,
  ioVector,
  messageHeader,
  pollfd,
  sockaddrUn,
  timespec,
} from "../abi/struct.ts";
import {
  bytes,
  call,
  type Fd,
  fdOperand,
  flags,
  hex,
  number,
  type Operand,
  outputOperand,
  type Syscall,
  struct,
  text,
  textBytes,
} from "./value.ts";

export function socket(family: number, type: number): Syscall {
  return call("socket", number(family), socketType(type), number(0));
}

/** socketpair(2); the output is two 32-bit descriptors. */
export function socketpair(type: number): Syscall {
  return call(
    "socketpair",
    number(socketFamilies.AF_UNIX),
    socketType(type),
    number(0),
    outputOperand(8),
  );
}

function socketType(type: number): Operand {
  return flags(
    {
      SOCK_SEQPACKET: socketTypes.SOCK_SEQPACKET,
      SOCK_DGRAM: socketTypes.SOCK_DGRAM,
      SOCK_STREAM: socketTypes.SOCK_STREAM,
      SOCK_NONBLOCK: socketTypes.SOCK_NONBLOCK,
      SOCK_CLOEXEC: socketTypes.SOCK_CLOEXEC,
    },
    type,
  );
}

/** sendmsg(2) of a text, and with SCM_RIGHTS a descriptor beside it; unix(7). */
export function sendWithDescriptor(to: Fd, content: string, sent: number): Syscall {
  const header = struct(messageHeader, {
    msg_iov: struct(ioVector, { iov_base: text(content), iov_len: textBytes(content) }),
    msg_iovlen: number(1),
    msg_control: struct(controlMessage, {
      "header.cmsg_len": number(controlMessage.sizeBytes - 4),
      "header.cmsg_level": number(SOL_SOCKET),
      "header.cmsg_type": number(SCM_RIGHTS),
      descriptor: number(sent),
    }),
    msg_controllen: number(controlMessage.sizeBytes),
  });
  return call("sendmsg", fdOperand(to), header, number(0));
}

/** Memory that the kernel fills at an address, which is therefore the caller's. */
export type Place = { readonly address: number; readonly sizeBytes: number };

/** recvmsg(2) of one message, and of what came with it as control messages; descriptors get CLOEXEC. */
export function receiveWithDescriptor(from: Fd, content: Place, control: Place): Syscall {
  const header = struct(messageHeader, {
    msg_iov: struct(ioVector, {
      iov_base: number(content.address),
      iov_len: number(content.sizeBytes),
    }),
    msg_iovlen: number(1),
    msg_control: number(control.address),
    msg_controllen: number(control.sizeBytes),
  });
  return call("recvmsg", fdOperand(from), header, number(messageFlags.MSG_CMSG_CLOEXEC));
}

/** bind(2) to a path; at most socketPathMaxBytes bytes. */
export function bindPath(fd: Fd, path: string): Syscall {
  return call("bind", fdOperand(fd), unixAddress(path), number(sockaddrUn.sizeBytes));
}

export function connectPath(fd: Fd, path: string): Syscall {
  return call("connect", fdOperand(fd), unixAddress(path), number(sockaddrUn.sizeBytes));
}

/** connect(2) to a name of unix(7)'s abstract namespace, given without the NUL in front of it. */
export function connectAbstract(fd: Fd, name: string): Syscall {
  const address = `\0${name}`;
  return call("connect", fdOperand(fd), unixAddress(address), familyAnd(address));
}

/** The length of an address that is exactly as long as its name: every byte of an abstract one counts. */
function familyAnd(address: string): Operand {
  return number(2 + new TextEncoder().encode(address).byteLength);
}

function unixAddress(path: string): Operand {
  return struct(sockaddrUn, {
    sun_family: number(socketFamilies.AF_UNIX),
    sun_path: bytes(new TextEncoder().encode(path)),
  });
}

export function listen(fd: Fd, backlog: number): Syscall {
  return call("listen", fdOperand(fd), number(backlog));
}

/** accept4(2) without the peer's address. */
export function accept4(fd: Fd, acceptFlags: number): Syscall {
  return call("accept4", fdOperand(fd), number(0), number(0), socketType(acceptFlags));
}

/** ppoll(2) of one descriptor; waits without end when `timeoutMs` is absent. */
export function ppoll(fd: number, events: number, timeoutMs?: number): Syscall {
  return call(
    "ppoll",
    struct(pollfd, { fd: number(fd), events: number(events) }),
    number(1),
    timeoutMs === undefined
      ? number(0)
      : struct(timespec, {
          tv_sec: number(Math.floor(timeoutMs / 1000)),
          tv_nsec: number((timeoutMs % 1000) * 1e6),
        }),
    number(0),
    number(0),
  );
}

/**
 * ppoll(2) of several descriptors; a negative one is passed over. The output is the vector itself: 8 bytes for each, of
 * which the last two are what has happened.
 */
export function ppollAll(
  wanted: readonly { readonly fd: number; readonly events: number }[],
  timeoutMs: number,
): Syscall {
  const vector = new Int32Array(wanted.map(({ fd, events }) => [fd, events]).flat());
  return call(
    "ppoll",
    outputOperand(vector.byteLength, new Uint8Array(vector.buffer)),
    number(wanted.length),
    struct(timespec, {
      tv_sec: number(Math.floor(timeoutMs / 1000)),
      tv_nsec: number((timeoutMs % 1000) * 1e6),
    }),
    number(0),
    number(0),
  );
}

/** ioctl(SIOCSIFFLAGS): sets the flags of a network interface. */
export function setInterfaceFlags(socketFd: Fd, name: string, value: number): Syscall {
  return call(
    "ioctl",
    fdOperand(socketFd),
    hex(SIOCSIFFLAGS),
    struct(ifreq, {
      ifr_name: bytes(new TextEncoder().encode(name)),
      ifr_flags: number(value),
    }),
  );
}

/** eventfd(2): a counter that starts at 0; reading it gives 8 bytes and sets it back. */
export function eventfd(eventFlags: number): Syscall {
  return call("eventfd2", number(0), flags(eventfdFlags, eventFlags));
}
