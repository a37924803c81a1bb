// What every command has loaded when it has done its work on a real container: what the committed list says. Needs root.

import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { commandSources, filesLoadedWith, runAndWatch } from "../support/chunks.ts";
import { openRoom } from "../support/room.ts";

const test = suite("kernel/loaded-files");
const room = openRoom("loaded-files");
const { directory } = room;
const root = join(directory, "state");
// The machine of test/vm has the executable, and not the bundler's account of it.
const inMachine = process.env["TS_RUNC_MACHINE"] !== undefined;
if (inMachine) console.log("skip: which files are loaded does not depend on the machine");
const here = inMachine ? test.skip : test;
const watched = new Set<string>();

/** Runs a command and compares what it has loaded with what comes with its file, and with nothing else. */
function expectOwnFiles(name: string, ...argv: readonly string[]): void {
  watched.add(name);
  const { status, stderr, loaded } = runAndWatch(["--root", root, name, ...argv], { directory });
  assert.is(status, 0, `${name}: ${stderr}`);
  const source = commandSources().get(name) ?? "";
  const expected = new Set([...filesLoadedWith("src/main.ts"), ...filesLoadedWith(source)]);
  assert.equal([...loaded].sort(), [...expected].sort(), name);
}

here("in the life of a container, no command loads more than its own files", () => {
  const bundle = room.makeBundle({ process: { args: ["sleep", "100"] } });
  const id = room.newId();
  expectOwnFiles("create", "--bundle", bundle.directory, id);
  expectOwnFiles("state", id);
  expectOwnFiles("start", id);
  expectOwnFiles("exec", id, "true");
  expectOwnFiles("list");
  expectOwnFiles("ps", id);
  expectOwnFiles("events", "--stats", id);
  expectOwnFiles("update", "--pids-limit", "20", id);
  expectOwnFiles("pause", id);
  expectOwnFiles("resume", id);
  expectOwnFiles("kill", id, "KILL");
  expectOwnFiles("delete", "--force", id);
  const brief = room.makeBundle({ process: { args: ["true"] } });
  expectOwnFiles("run", "--bundle", brief.directory, room.newId());
  expectOwnFiles("program", "--bundle", brief.directory);
});

here("no command is forgotten", () => {
  // Those without a container are in test/main.test.ts; what CRIU does takes longer than any loading.
  const elsewhere = ["completion", "features", "spec", "checkpoint", "restore"];
  const names = [...commandSources().keys()];
  assert.equal(
    names.filter((name) => !watched.has(name) && !elsewhere.includes(name)),
    [],
    "watch it in the life of a container",
  );
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
