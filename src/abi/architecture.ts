// Which architecture this process runs on; the one fact about the machine that constants depend on.

/** An architecture that ts-runc runs on, by the kernel's name for it (`uname -m`). */
export type Architecture = "x86_64" | "aarch64";

export const architecture: Architecture = process.arch === "arm64" ? "aarch64" : "x86_64";
