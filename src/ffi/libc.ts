// The functions of libc that ts-runc calls; nothing else in the tree opens a library but seccomp's compiler.

import { dlopen, FFIType } from "bun:ffi";
import { assert } from "../base/assert.ts";

// Each symbol carries its C declaration. `syscall` takes its operands as longs: pointers are passed as addresses that
// encode.ts has computed, so that one declaration serves every call.
const symbols = {
  // long syscall(long number, ...);
  syscall: { args: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], returns: FFIType.i64_fast },
  // int *__errno_location(void);
  __errno_location: { args: [], returns: "ptr" },
} as const;

const spawnSymbols = {
  // int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *file_actions,
  //                 const posix_spawnattr_t *attrp, char *const argv[], char *const envp[]);
  posix_spawn: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  // int posix_spawn_file_actions_init(posix_spawn_file_actions_t *);
  posix_spawn_file_actions_init: { args: ["ptr"], returns: "i32" },
  // int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *, int fildes, int newfildes);
  posix_spawn_file_actions_adddup2: { args: ["ptr", "i32", "i32"], returns: "i32" },
  // int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *);
  posix_spawn_file_actions_destroy: { args: ["ptr"], returns: "i32" },
  // int posix_spawnattr_init(posix_spawnattr_t *);
  posix_spawnattr_init: { args: ["ptr"], returns: "i32" },
  // int posix_spawnattr_setflags(posix_spawnattr_t *, short flags);
  posix_spawnattr_setflags: { args: ["ptr", "i16"], returns: "i32" },
  // int posix_spawnattr_setsigdefault(posix_spawnattr_t *, const sigset_t *);
  posix_spawnattr_setsigdefault: { args: ["ptr", "ptr"], returns: "i32" },
  // int posix_spawnattr_setsigmask(posix_spawnattr_t *, const sigset_t *);
  posix_spawnattr_setsigmask: { args: ["ptr", "ptr"], returns: "i32" },
} as const;

const library = "libc.so.6";

export const libc = dlopen(library, symbols).symbols;

type SpawnLibrary = ReturnType<typeof dlopen<typeof spawnSymbols>>["symbols"];
let spawnLibrary: SpawnLibrary | undefined;

/** The functions around posix_spawn(3), bound when a process is first spawned: most commands spawn none. */
export function spawnLibc(): SpawnLibrary {
  spawnLibrary ??= dlopen(library, spawnSymbols).symbols;
  return spawnLibrary;
}

const errnoAddress = libc.__errno_location();
assert(errnoAddress !== null, "libc gives no address for errno");
/** Where libc keeps the errno of the main thread, on which all our code runs. */
export const mainThreadErrno = errnoAddress;
