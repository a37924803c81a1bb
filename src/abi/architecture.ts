// Which architecture this process runs on; the one fact about the machine that constants depend on.

import type { Architecture } from "./syscall-numbers.ts";

export const architecture: Architecture = process.arch === "arm64" ? "aarch64" : "x86_64";
