// run -t and exec -t as a person has them: in a real terminal (tmux), with full-screen programs, keys and a changing size.
// Needs root.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRoom, runBriefly, slowness } from "../support/room.ts";
import { terminalMounts as mounts } from "../support/terminal.ts";

const test = suite("kernel/terminal-session");
const hasTmux = existsSync("/usr/bin/tmux");
if (!hasTmux) console.log("skip: a person's terminal: tmux is not installed");
const inTmux = hasTmux ? test : test.skip;
const room = openRoom("terminal-session");

type Session = Disposable & {
  readonly type: (...keys: readonly string[]) => void;
  readonly resize: (columns: number, rows: number) => void;
  /** Waits until the screen shows this, and returns the screen. */
  readonly expect: (pattern: RegExp) => Promise<string>;
};

const patienceMs = 10_000 * slowness;

/** Opens a terminal of 100 columns and 30 rows with the host's shell in it. */
function openSession(): Session {
  const server = join(room.directory, "tmux.sock");
  const tmux = (...argv: readonly string[]): string => {
    const env = { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" };
    const { status, stdout, stderr } = runBriefly(
      ["tmux", "-S", server, "-f", "/dev/null", ...argv],
      {
        env,
      },
    );
    assert.is(status, 0, `tmux ${argv.join(" ")}: ${stderr}`);
    return stdout;
  };
  tmux("new-session", "-d", "-x", "100", "-y", "30", "env PS1='host> ' sh");
  return {
    type: (...keys) => {
      tmux("send-keys", ...keys);
    },
    resize: (columns, rows) => {
      tmux("resize-window", "-x", String(columns), "-y", String(rows));
    },
    expect: async (pattern) => {
      const until = Date.now() + patienceMs;
      for (;;) {
        const screen = tmux("capture-pane", "-p");
        if (pattern.test(screen)) return screen;
        if (Date.now() > until) throw new Error(`no ${pattern} in\n${screen}`);
        await Bun.sleep(50);
      }
    },
    [Symbol.dispose]: () => tmux("kill-server"),
  };
}

const shell = { args: ["sh"], env: ["PATH=/bin", "PS1=inside> ", "TERM=screen"] };

/** What a person does in the shell that the terminal is in. */
async function useShell({ type, resize, expect }: Session): Promise<void> {
  await expect(/inside>$/m);
  type("stty size", "Enter");
  await expect(/^30 100$/m);
  resize(61, 17);
  type("clear; stty size", "Enter");
  await expect(/^17 61$/m);

  type("clear; busybox vi /tmp/letter", "Enter");
  await expect(/letter.*1\/1/);
  type("ihello from vi");
  await expect(/^hello from vi$/m);
  type("Escape");
  await expect(/^- .*letter/m);
  type(":wq", "Enter");
  await expect(/inside>$/m);
  type("clear; tr v V < /tmp/letter", "Enter");
  await expect(/^hello from Vi$/m);

  type("clear; busybox top", "Enter");
  await expect(/PID +PPID +USER/);
  type("q");
  await expect(/inside>$/m);

  // Ctrl-C ends the program and not the shell; Ctrl-Z stops it, fg lets it go on.
  type("clear; echo asleep; sleep 1000", "Enter");
  await expect(/^asleep$/m);
  type("C-c");
  type("echo code $?", "Enter");
  await expect(/^code 130$/m);
  type("clear; echo asleep; sleep 1001", "Enter");
  await expect(/^asleep$/m);
  type("C-z");
  await expect(/Stopped/);
  type("clear; jobs; fg", "Enter");
  await expect(/Stopped +sleep 1001\nsleep 1001$/m);
  type("C-c");
  await expect(/inside>$/m);
}

/** Leaves the shell, and looks whether the host's one has its terminal as it was. */
async function leave({ type, expect }: Session): Promise<void> {
  type("clear; exit 7", "Enter");
  await expect(/host>$/m);
  type(`echo code $?; ${modes}`, "Enter");
  const screen = await expect(/^code 7\n\d+ \d+$/m);
  assert.is(/^\d+ \d+$/m.exec(screen)?.[0], modesBefore);
}

/** A line for all modes of a terminal, without its size: that changes, and not at once. */
const modes = "stty -a | sed 's/rows [0-9]*; columns [0-9]*;//' | tr '\\n' ' ' | cksum";

let modesBefore: string | undefined;

async function readModes({ type, expect }: Session): Promise<void> {
  await expect(/host>$/m);
  type(`clear; ${modes}`, "Enter");
  modesBefore = /^\d+ \d+$/m.exec(await expect(/^\d+ \d+$/m))?.[0];
}

inTmux("a shell by run -t", async () => {
  const bundle = room.makeBundle({ mounts, process: { terminal: true, ...shell } });
  const id = room.newId();
  using _ = { [Symbol.dispose]: () => room.tsRunc(["delete", "--force", id]) };
  using session = openSession();
  await readModes(session);
  const run = room.command("run", "-b", bundle.directory, id).join(" ");
  session.type(`clear; ${run}`, "Enter");
  await useShell(session);
  session.resize(100, 30);
  await leave(session);
});

inTmux("a shell by exec -t", async () => {
  const bundle = room.makeBundle({ mounts, process: { args: ["sleep", "1000"] } });
  const id = room.newId();
  using _ = { [Symbol.dispose]: () => room.tsRunc(["delete", "--force", id]) };
  assert.is(room.tsRunc(["run", "-d", "-b", bundle.directory, id]).status, 0);
  using session = openSession();
  await readModes(session);
  const env = shell.env.map((entry) => `--env '${entry}'`).join(" ");
  session.type(`clear; ${room.command("exec", "-t").join(" ")} ${env} ${id} sh`, "Enter");
  await useShell(session);
  session.resize(100, 30);
  await leave(session);
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
