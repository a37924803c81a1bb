// Constants of sockets and polling: socket(2), unix(7), poll(2), netdevice(7).

export const socketFamilies = { AF_UNIX: 1, AF_INET: 2 } as const;
export const socketTypes = {
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_SEQPACKET: 5,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
} as const;
export const SOL_SOCKET = 1;
export const SCM_RIGHTS = 1;
export const SO_SNDTIMEO = 21;
export const messageFlags = { MSG_NOSIGNAL: 0x4000, MSG_CMSG_CLOEXEC: 0x4000_0000 } as const;
/** POLLPRI: a file of a cgroup has changed since it was last read through the descriptor. */
export const pollEvents = { POLLIN: 1, POLLPRI: 2, POLLOUT: 4, POLLERR: 8, POLLHUP: 16 } as const;
export const eventfdFlags = { EFD_NONBLOCK: 0o4000, EFD_CLOEXEC: 0o2000000 } as const;
export const SIOCSIFFLAGS = 0x8914;
export const interfaceFlags = { IFF_UP: 1, IFF_RUNNING: 0x40 } as const;
/** Longest path in sockaddr_un, without the final NUL. */
export const socketPathMaxBytes = 107;
