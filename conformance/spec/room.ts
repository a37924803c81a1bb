// Where the tests of a run have their bundles and containers: it calls the runtime, and takes everything away again. Needs root.

import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, configWith } from "./config.ts";
import { expect, Unmet } from "./expect.ts";
import { type JsonObject, parseObject, valueAt } from "./json.ts";

export type Outcome = {
  /** -1 for a runtime that had to be killed. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
};

export type Bundle = { readonly directory: string; readonly rootfs: string };

export type Container = {
  readonly id: string;
  readonly bundle: Bundle;
  /** The process as the host sees it, by the state of the moment. */
  readonly pid: () => number;
  readonly state: () => JsonObject;
  readonly status: () => unknown;
  /** Starts it, which has to succeed. */
  readonly start: () => void;
  readonly kill: (signal: string) => Outcome;
  /** Waits until its process has ended. */
  readonly wait: () => void;
  /** Waits until its output has this. */
  readonly until: (text: string) => void;
  /** What the container has written to standard output; to standard error the runtime may have written, too. */
  readonly output: () => string;
  /** Deletes it, which has to succeed. */
  readonly remove: () => void;
};

export type CreateOptions = {
  readonly id?: string;
  /** Options of create, beside that for the bundle. */
  readonly options?: readonly string[];
};

export type Room = {
  readonly directory: string;
  /** A name that nothing else has. */
  readonly newName: () => string;
  /** The words that call the runtime with the room's state root. */
  readonly command: (...argv: readonly string[]) => readonly string[];
  /** Calls the runtime with a state root of the room. */
  readonly call: (argv: readonly string[], cwd?: string) => Outcome;
  readonly bundle: (change?: Config) => Bundle;
  /** The same with this text as its config. */
  readonly bundleOf: (config: string) => Bundle;
  readonly tryCreate: (
    bundle: Bundle,
    options?: CreateOptions,
  ) => Outcome & { readonly id: string };
  /** Creates a container, which has to succeed. */
  readonly create: (change?: Config, options?: CreateOptions) => Container;
  readonly createFrom: (bundle: Bundle, options?: CreateOptions) => Container;
  /** Creates and starts a container that lives until it is killed, after what `script` does. */
  readonly live: (change?: Config, script?: string) => Container;
  /** What a shell script in a container prints, from create to delete. */
  readonly probe: (script: string, change?: Config) => string;
  /** Demands that create refuses a config, and leaves no container. Returns the outcome. */
  readonly refuses: (change: Config) => Outcome;
  /** Demands that create or start refuses a config. Returns what was said. */
  readonly refusesToRun: (change: Config) => string;
  /** Does something when the test has ended. */
  readonly defer: (undo: () => void) => void;
  /** Ends a test: every container that it has left is killed and deleted. */
  readonly endTest: () => void;
  /** Removes the room. */
  readonly close: () => void;
};

const timeoutMs = 60_000;
const applets =
  "basename cat chmod chown cp cut dd echo env expr false grep head hostname id ipcmk ipcs kill ln ls mkdir mknod mount nice od ps pwd readlink rm sed sh sleep sort stat stty tail test touch tr true tty umount uname usleep wc";

/** A test fails by throwing; `expect` and its like say how. */
export type Test = (room: Room) => void;

/** Tests by the id of the demand that each is of. */
export type Tests = Readonly<Record<string, Test>>;

/** Opens a room for the runtime at a path. */
export function openRoom(runtime: string): Room {
  const directory = mkdtempSync(join(tmpdir(), "conformance-"));
  // The root of a container with a user namespace has to get through to its rootfs.
  for (const passed of [tmpdir(), directory]) chmodSync(passed, statSync(passed).mode | 0o011);
  const prefix = `conformance-${process.pid}-`;
  const living = new Map<string, () => number | undefined>();
  let undoings: (() => void)[] = [];
  let names = 0;
  const newName = (): string => {
    names += 1;
    return `${prefix}${names}`;
  };
  const newOutput = (): string => join(directory, newName());
  const command: Room["command"] = (...argv) => [
    runtime,
    "--root",
    join(directory, "state"),
    ...argv,
  ];
  const callWith = (
    argv: readonly string[],
    at: { readonly cwd: string; readonly output: string },
  ): Outcome => runProgram(command(...argv), at);
  const call: Room["call"] = (argv, cwd = directory) =>
    callWith(argv, { cwd, output: newOutput() });
  const bundleOf = (config: string): Bundle => {
    const bundle = join(directory, newName());
    makeRootfs(join(bundle, "rootfs"));
    writeFileSync(join(bundle, "config.json"), config);
    return { directory: bundle, rootfs: join(bundle, "rootfs") };
  };
  const bundle: Room["bundle"] = (change) => bundleOf(JSON.stringify(configWith(change)));
  const stateOf = (id: string): JsonObject | undefined => {
    const { status, stdout } = call(["state", id]);
    return status === 0 ? parseObject(stdout) : undefined;
  };
  const pidOf = (id: string): number | undefined => {
    const pid = valueAt(stateOf(id), "pid");
    return typeof pid === "number" && pid > 0 ? pid : undefined;
  };
  const tryCreate = (from: Bundle, { id = newName(), options = [] }: CreateOptions = {}) => {
    if (!living.has(id)) living.set(id, () => pidOf(id));
    const argv = ["create", "--bundle", from.directory, ...options, id];
    const output = newOutput();
    return { ...callWith(argv, { cwd: directory, output }), id, output };
  };
  const createFrom: Room["createFrom"] = (from, options) => {
    const outcome = tryCreate(from, options);
    expect(outcome.status === 0, `create failed: ${said(outcome)}`);
    return containerOf({ id: outcome.id, bundle: from, output: outcome.output });
  };
  const containerOf = (at: {
    readonly id: string;
    readonly bundle: Bundle;
    readonly output: string;
  }): Container => {
    const { id, output } = at;
    let known: number | undefined;
    const state = (): JsonObject => {
      const found = stateOf(id);
      if (found === undefined) throw new Unmet(`state of ${id} failed`);
      return found;
    };
    const pid = (): number => {
      const now = Number(valueAt(state(), "pid"));
      if (now > 0) known = now;
      return now;
    };
    const text = (): string => readText(`${output}.out`);
    return {
      ...at,
      state,
      status: () => valueAt(state(), "status"),
      pid,
      start: () => {
        pid();
        const outcome = call(["start", id]);
        expect(outcome.status === 0, `start failed: ${said(outcome)}`);
      },
      kill: (signal) => call(["kill", id, signal]),
      wait: () => {
        const awaited = known ?? pid();
        expect(
          waitFor(() => hasEnded(awaited)),
          `${id} does not end: ${text()}`,
        );
      },
      until: (wanted) =>
        expect(
          waitFor(() => text().includes(wanted)),
          `no ${wanted} in ${JSON.stringify(text())}`,
        ),
      output: text,
      remove: () => {
        const outcome = call(["delete", id]);
        expect(outcome.status === 0, `delete failed: ${said(outcome)}`);
        living.delete(id);
      },
    };
  };
  const create: Room["create"] = (change, options) => createFrom(bundle(change), options);
  const refuses: Room["refuses"] = (change) => {
    const outcome = tryCreate(bundle(change));
    expect(outcome.status > 0, `create succeeds (exit status ${outcome.status})`);
    expect(stateOf(outcome.id) === undefined, "the refused container is there");
    return outcome;
  };
  return {
    directory,
    newName,
    command,
    call,
    bundle,
    bundleOf,
    tryCreate,
    create,
    createFrom,
    refuses,
    live: (change = {}, script = "true") => {
      const args = ["sh", "-c", `${script}\necho is-up\nexec sleep 1000`];
      const container = create({ ...change, process: { ...change.process, args } });
      container.start();
      container.until("is-up");
      return container;
    },
    probe: (script, change = {}) => {
      const process = { ...change.process, args: ["sh", "-c", script] };
      const container = create({ ...change, process });
      container.start();
      container.wait();
      const output = container.output();
      container.remove();
      return output.trimEnd();
    },
    refusesToRun: (change) => {
      const created = tryCreate(bundle(change));
      if (created.status !== 0) return said(created);
      const started = call(["start", created.id]);
      expect(started.status !== 0, "create and start succeed");
      return said(started);
    },
    defer: (undo) => {
      undoings.unshift(undo);
    },
    endTest: () => {
      for (const [id, pid] of living) endContainer(call, id, pid());
      living.clear();
      for (const undo of undoings) undo();
      undoings = [];
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Whatever state it is in; with the operations of the specification. */
function endContainer(call: Room["call"], id: string, pid: number | undefined): void {
  if (pid !== undefined) {
    call(["kill", id, "KILL"]);
    // A runtime whose kill is wrong leaves no process either.
    if (!waitFor(() => hasEnded(pid))) endProcess(pid);
  }
  call(["delete", id]);
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
  waitFor(() => hasEnded(pid));
}

function said({ stdout, stderr }: Outcome): string {
  return `${stderr}${stdout}`.trim();
}

function hasEnded(pid: number): boolean {
  return /^$|\) [ZX] /.test(readText(`/proc/${pid}/stat`));
}

/** Waits until something holds; false when it does not within ten seconds. */
export function waitFor(holds: () => boolean): boolean {
  for (let tries = 0; tries < 5000; tries += 1) {
    if (holds()) return true;
    Bun.sleepSync(2);
  }
  return holds();
}

/** The text of a file, or none when it is not there (any more). */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // A process that has ended, or a file that nobody has written.
    return "";
  }
}

/** Runs a program to its end. What it writes goes to files: a container that it leaves behind has them as its own. */
function runProgram(
  argv: readonly string[],
  { cwd, output }: { readonly cwd: string; readonly output: string },
): Outcome {
  const files = [openSync(`${output}.out`, "w"), openSync(`${output}.err`, "w")] as const;
  try {
    const child = Bun.spawnSync([...argv], {
      cwd,
      stdio: ["ignore", ...files],
      // What has been set since we began as well.
      env: process.env,
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    return {
      status: child.signalCode === undefined ? child.exitCode : -1,
      stdout: readText(`${output}.out`),
      stderr: readText(`${output}.err`),
    };
  } finally {
    for (const file of files) closeSync(file);
  }
}

let template: string | undefined;

/** Makes a rootfs of the host's static busybox; its files are links to those of the first one. */
function makeRootfs(rootfs: string): void {
  mkdirSync(rootfs, { recursive: true });
  if (template === undefined || !existsSync(template)) {
    makeTemplate(rootfs);
    template = rootfs;
  } else {
    const copy = Bun.spawnSync(["cp", "-a", "-l", `${template}/.`, rootfs]);
    expect(copy.success, `copying the rootfs: ${copy.stderr}`);
  }
}

function makeTemplate(rootfs: string): void {
  const busybox = "/bin/busybox";
  if (!existsSync(busybox)) throw new Error(`${busybox} is missing: install busybox-static`);
  const links = applets.split(" ").map((name) => `ln -s busybox bin/${name}`);
  const folders = "bin dev etc m mnt proc root sys tmp";
  const script = `mkdir -p ${folders} && chmod 1777 tmp && cp ${busybox} bin/busybox && ${links.join(" && ")}`;
  const made = Bun.spawnSync(["sh", "-c", script], { cwd: rootfs });
  if (!made.success) throw new Error(`making a rootfs: ${made.stderr}`);
  writeFileSync(join(rootfs, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
}
