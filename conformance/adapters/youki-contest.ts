// youki's contest, a program that is told of the runtime by --runtime; each of its groups of tests is run by itself.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { readContest } from "./outputs.ts";
import { type Adapter, type Room, wrapRuntime } from "./suite.ts";

export const youkiContest: Adapter = {
  says: "contest of youki (contest run --runtime)",
  timeoutSeconds: 300,
  choosesTests: true,
  lacks: (room) =>
    ["contest", "runtimetest"]
      .filter((name) => find(room, name) === undefined)
      .map(
        (name) =>
          `${name} is missing, here and in target: just contest (or scripts/build.sh -o . -c contest)`,
      ),
  programs: (room) => {
    const contest = find(room, "contest") ?? "contest";
    const runtimetest = find(room, "runtimetest") ?? "runtimetest";
    const runtime = wrapRuntime(room);
    const { stdout } = Bun.spawnSync([contest, "list"], { stdin: "ignore", timeout: 60_000 });
    const groups = stdout.toString().split("\n").filter(Boolean);
    return groups.map((group) => ({
      name: group,
      argv: [
        contest,
        "run",
        "--runtime",
        runtime,
        "--runtimetest",
        runtimetest,
        "--tests",
        room.test === undefined ? group : `${group}::${room.test}`,
      ],
      cwd: room.checkout,
    }));
  },
  read: ({ output }) => readContest(output),
};

/** The build leaves the programs in the checkout itself, cargo below target. */
function find({ checkout }: Room, name: string): string | undefined {
  return ["", "target/release", "target/debug"]
    .map((directory) => join(checkout, directory, name))
    .find((path) => existsSync(path));
}
