// The C library for arm64 from Debian's packages, unpacked into .cache, for the emulator; nothing of it is installed.
//
//   scripts/bun test/kernel/arm64/user-space.ts     prints its directory

import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const cache = join(import.meta.dir, "../../../.cache/arm64-root");
/** Bun links nothing else, and so do the programs that it compiles. */
const packages = ["libc6"];
const timeoutMs = 120_000;

/**
 * Returns the directory that stands for `/` in the emulator, made if there is none. Once made it needs no network: which
 * versions it holds was decided then.
 *
 * @throws Error when the packages cannot be had
 */
export function buildUserSpace(): string {
  const key = new Bun.CryptoHasher("sha256").update(readFileSync(import.meta.path));
  const directory = join(cache, key.digest("hex").slice(0, 16));
  if (existsSync(directory)) return directory;
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(join(cache, "building-"));
  try {
    const root = join(temporary, "root");
    mkdirSync(root);
    for (const archive of download(temporary)) execute(["dpkg-deb", "-x", archive, root]);
    publish(root, directory);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return directory;
}

/** Another process may have been faster, with the same content. */
function publish(finished: string, directory: string): void {
  try {
    renameSync(finished, directory);
  } catch (error) {
    if (!existsSync(directory)) throw error;
  }
}

/**
 * Downloads the packages with a state of apt's own, which knows no installed package and no architecture but arm64: the
 * machine's lists and its dpkg stay as they are.
 */
function download(directory: string): readonly string[] {
  const state = join(directory, "state");
  const archives = join(directory, "archives");
  mkdirSync(join(state, "lists/partial"), { recursive: true });
  mkdirSync(archives);
  writeFileSync(join(state, "status"), "");
  const settings = {
    "APT::Architecture": "arm64",
    "APT::Architectures": "arm64",
    "APT::Sandbox::User": "root",
    "APT::Update::Error-Mode": "any",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
    "Dir::State": state,
    "Dir::State::status": join(state, "status"),
    "Dir::Cache": join(directory, "cache"),
    ...debianSources(),
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  execute(["apt-get", "-qq", ...options, "update"]);
  execute(["apt-get", "-qq", ...options, "download", ...packages], archives);
  return globSync(join(archives, "*.deb"));
}

/** The machine's sources but for those of others than Debian, who may have nothing for arm64. */
function debianSources(): Readonly<Record<string, string>> {
  const list = "/etc/apt/sources.list.d/debian.sources";
  const only = { "Dir::Etc::sourceparts": "/dev/null" };
  return existsSync(list) ? { "Dir::Etc::sourcelist": list, ...only } : only;
}

function execute(argv: readonly string[], cwd = cache): void {
  const child = Bun.spawnSync([...argv], {
    cwd,
    stdin: "ignore",
    stderr: "pipe",
    timeout: timeoutMs,
  });
  if (child.success) return;
  throw new Error(`${argv[0]} ${argv.at(-1)} failed: ${child.stderr.toString().trim()}`);
}

if (import.meta.main) console.log(buildUserSpace());
