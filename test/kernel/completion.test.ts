// The completion scripts in the shells that they are for, typed into a terminal of their own. Needs root.

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { executable } from "../cli/executable.ts";
import { openRoom, slowness } from "../support/room.ts";

const test = suite("kernel/completion");
const room = openRoom("completion");
const patienceMs = 20_000 * slowness;

/** How a shell is started without anybody's settings, and made to read its script. */
const shells = {
  bash: { argv: ["--norc", "--noprofile", "-i"], load: "source <(ts-runc completion bash)" },
  zsh: {
    argv: ["-f", "-i"],
    load: "autoload -Uz compinit && compinit -D -u && source <(ts-runc completion zsh)",
  },
  fish: { argv: ["--no-config", "-i"], load: "ts-runc completion fish | source" },
} as const;

// In front of the executable stands a script that writes down what the shell has called it with.
const bin = join(room.directory, "bin");
const calls = join(room.directory, "calls");
mkdirSync(bin);
// Without one that is the user's alone, fish makes itself a directory in /tmp.
const runtimeDirectory = join(room.directory, "runtime");
mkdirSync(runtimeDirectory, { mode: 0o700 });
writeFileSync(
  join(bin, "ts-runc"),
  `#!/bin/sh
case "$1" in __complete|completion) exec ${executable} "$@" ;; esac
{ printf '<%s>' "$@"; echo; } >> ${calls}
`,
);
chmodSync(join(bin, "ts-runc"), 0o755);

/** Types lines into a shell, and returns what ts-runc has been called with for each. */
async function typeInto(shell: keyof typeof shells, lines: readonly string[]): Promise<string[]> {
  writeFileSync(calls, "");
  const { argv, load } = shells[shell];
  let output = "";
  const child = Bun.spawn([`/usr/bin/${shell}`, ...argv], {
    cwd: room.directory,
    env: {
      PATH: `${bin}:/usr/bin:/bin`,
      HOME: room.directory,
      XDG_RUNTIME_DIR: runtimeDirectory,
      TERM: "dumb",
    },
    terminal: {
      cols: 200,
      rows: 50,
      data: (_, bytes) => {
        output += new TextDecoder().decode(bytes);
      },
    },
  });
  const { terminal } = child;
  assert.ok(terminal);
  const deadline = Date.now() + patienceMs;
  const waitFor = async (what: string, done: () => boolean): Promise<void> => {
    while (!done()) {
      assert.ok(Date.now() < deadline, `${shell}: no ${what}: ${output}`);
      await Bun.sleep(20);
    }
  };
  try {
    terminal.write(`${load}; echo script-"loaded"\n`);
    await waitFor("script", () => output.includes("script-loaded"));
    for (const [index, line] of lines.entries()) {
      terminal.write(`${line}\n`);
      const count = (): number => readFileSync(calls, "utf8").split("\n").length - 1;
      await waitFor(`call for ${JSON.stringify(line)}`, () => count() > index);
    }
    terminal.write("exit\n");
    await child.exited;
  } finally {
    child.kill("SIGKILL");
    terminal.close();
  }
  // zsh takes the slash behind a directory away again when a space follows.
  return readFileSync(calls, "utf8").replaceAll("/>", ">").trimEnd().split("\n");
}

for (const shell of ["bash", "zsh", "fish"] as const) {
  const installed = existsSync(`/usr/bin/${shell}`);
  if (!installed) console.log(`skip: ${shell} is not installed`);
  const withShell = installed ? test : test.skip;
  withShell(`${shell} completes commands, options, values, ids, signals and paths`, async () => {
    const id = room.newId();
    const bundle = room.makeBundle();
    mkdirSync(join(room.directory, "only directory"), { recursive: true });
    writeFileSync(join(room.directory, "only-file"), "");
    assert.is(room.tsRunc(["create", "-b", bundle.directory, id]).status, 0);
    const root = `--root ${join(room.directory, "state")}`;
    const typed = await typeInto(shell, [
      "ts-runc feat\t",
      "ts-runc --log-f\tj\t list --qu\t",
      "ts-runc list --format=j\t",
      `ts-runc ${root} start ${id.slice(0, -1)}\t`,
      `ts-runc ${root} kill ${id} USR1\t`,
      "ts-runc run --bundle only\t x",
      "ts-runc run --bundle=only\t x",
      "ts-runc --log only-f\t list",
    ]).finally(() => room.tsRunc(["delete", "--force", id]));
    const state = `<--root><${join(room.directory, "state")}>`;
    assert.equal(typed, [
      "<features>",
      "<--log-format><json><list><--quiet>",
      "<list><--format=json>",
      `${state}<start><${id}>`,
      `${state}<kill><${id}><USR1>`,
      "<run><--bundle><only directory><x>",
      "<run><--bundle=only directory><x>",
      "<--log><only-file><list>",
    ]);
  });
}

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
