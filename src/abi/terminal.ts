// Constants of terminals and pseudoterminals: ioctl_tty(2), termios(3), pts(4); the same on x86-64 and arm64.

export const terminalRequests = {
  TCGETS: 0x5401,
  TCSETS: 0x5402,
  TIOCSCTTY: 0x540e,
  TIOCGWINSZ: 0x5413,
  TIOCSWINSZ: 0x5414,
  TIOCSPTLCK: 0x4004_5431,
  TIOCGPTPEER: 0x5441,
} as const;

/** Bits of the kernel's `struct termios`. */
export const inputModes = {
  IGNBRK: 0o1,
  BRKINT: 0o2,
  PARMRK: 0o10,
  ISTRIP: 0o40,
  INLCR: 0o100,
  IGNCR: 0o200,
  ICRNL: 0o400,
  IXON: 0o2000,
} as const;
export const outputModes = { ONLCR: 0o4 } as const;
export const controlModes = { CSIZE: 0o60, CS8: 0o60, PARENB: 0o400 } as const;
export const localModes = {
  ISIG: 0o1,
  ICANON: 0o2,
  ECHO: 0o10,
  ECHONL: 0o100,
  IEXTEN: 0o100000,
} as const;

/** Indexes of the control characters. */
export const controlCharacters = { VTIME: 5, VMIN: 6 } as const;
