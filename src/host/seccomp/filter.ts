// The filter of a profile, from the cache where it is there; not what becomes of it.

import { architecture } from "../../abi/architecture.ts";
import { debug } from "../../base/debug.ts";
import type { Seccomp } from "../../spec/seccomp.ts";
import { findCached } from "./cache.ts";
import { findLibseccomp, type SeccompLibrary } from "./library.ts";
import type { CompiledProgram } from "./program-file.ts";

/** Of the way in which programs are made here; another one makes other keys. */
const makingVersion = 1;

export type ObtainedFilter = {
  readonly filter: CompiledProgram;
  /** Its name in the cache; empty where the library could not be told from others, so that it cannot be kept. */
  readonly key: string;
  /** Whether it should be kept. */
  readonly isNew: boolean;
};

/**
 * Makes the program of a profile, or finds it made. Run by the runtime.
 *
 * @param root the state root, where compiled programs are kept
 * @throws `host` fault where libseccomp is missing; `refused` when the profile cannot be compiled
 */
export async function obtainFilter(root: string, profile: Seccomp): Promise<ObtainedFilter> {
  const library = findLibseccomp();
  const key = library === undefined ? "" : cacheKey(library, profile);
  const cached = findCached(root, key);
  if (cached !== undefined) {
    debug(() => `seccomp: filter of ${cached.program.byteLength} bytes, from the cache`);
    return { filter: cached, key, isNew: false };
  }
  const { compileProfile } = await import("./compile.ts");
  const filter = compileProfile(library, profile);
  debug(() => `seccomp: filter of ${filter.program.byteLength} bytes, compiled`);
  return { filter, key, isNew: key !== "" };
}

/** Everything that makes a difference to the program: the profile, the library, our own part. */
function cacheKey({ identity }: SeccompLibrary, profile: Seccomp): string {
  const { defaultAction, defaultErrnoRet, architectures, syscalls } = profile;
  const made = [makingVersion, architecture, identity];
  const asked = [defaultAction, defaultErrnoRet ?? -1, architectures ?? [], syscalls ?? []];
  return new Bun.CryptoHasher("sha256").update(JSON.stringify([made, asked])).digest("hex");
}
