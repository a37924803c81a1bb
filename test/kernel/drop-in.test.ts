// What programs that know runc read of a runtime besides its behaviour, beside Debian's runc: the record in the state directory,
// --version, help, lines of the log, the features document. Needs root.

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runc } from "../cli/executable.ts";
import { comparableCgroupPaths } from "../support/hybrid-host.ts";
import { openRoom, type RuntimeName } from "../support/room.ts";

const test = suite("kernel/drop-in");
const room = openRoom("drop-in");
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const beside = runc === undefined ? test.skip : test;

type Json = Readonly<Record<string, unknown>>;

function ofBoth<T>(take: (name: RuntimeName) => T): readonly [ours: T, theirs: T] {
  return [take("ts-runc"), take("runc")];
}

/** A record with what differs from container to container taken out: the id, the pid, the time. */
function recordOf(name: RuntimeName, change: Parameters<typeof room.makeBundle>[0]): Json {
  const id = room.newId();
  const { directory } = room.makeBundle({
    ...change,
    process: { args: ["sleep", "60"], ...change?.process },
  });
  const argv = ["create", "--bundle", directory, id];
  const made = room.runtime(name, ["--rootless", "false", ...argv]);
  assert.is(made.status, 0, made.stderr);
  const [, , root = ""] = room.commandOf(name);
  const record: Json = JSON.parse(readFileSync(join(root, id, "state.json"), "utf8"));
  const pid = String(record["init_process_pid"]);
  const start = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ")[19];
  assert.is(String(record["init_process_start"]), start);
  assert.is(room.runtime(name, ["delete", "--force", id]).status, 0);
  const { tsRunc: _, config: __, ...shared } = record;
  const paths = comparableCgroupPaths(Object(shared["cgroup_paths"]));
  const text = JSON.stringify({ ...shared, cgroup_paths: paths })
    .replaceAll(id, "ID")
    .replaceAll(`/proc/${pid}/`, "/proc/PID/")
    .replace(/"created":"[-\d]+T[:\d]+\.\d+Z"/, '"created":"TIME"')
    .replace(/("init_process_(?:pid|start)"):\d+/g, "$1:0")
    // The room's outputs are files.
    .replace(/output-\w+/g, "OUTPUT");
  return JSON.parse(text);
}

const namespaces = (...types: readonly string[]) => ({
  namespaces: types.map((type) => ({ type })),
});

beside(
  "the record has runc's keys with runc's values, but for runc's own form of the config",
  () => {
    const configs: readonly Parameters<typeof room.makeBundle>[0][] = [
      { linux: namespaces("mount", "pid") },
      {
        linux: {
          ...namespaces("mount", "pid", "network", "ipc", "uts"),
          cgroupsPath: "/drop-in-ID",
        },
      },
    ];
    for (const config of configs) {
      const [ours, theirs] = ofBoth((name) => recordOf(name, config));
      assert.equal(Object.keys(ours).sort(), Object.keys(theirs).sort());
      for (const key of Object.keys(theirs)) assert.equal(ours[key], theirs[key], key);
      assert.equal(theirs["created"], "TIME");
    }
  },
);

beside("--version has runc's lines where runc has them, and its own behind", () => {
  const [ours, theirs] = ofBoth((name) => {
    const { status, stdout } = room.runtime(name, ["--version"]);
    assert.is(status, 0);
    return stdout.trimEnd().split("\n");
  });
  assert.match(ours[0] ?? "", /^runc version \d+\.\d+\.\d+$/);
  const keys = (lines: readonly string[]) =>
    lines.slice(1).map((line) => /^(\S+): \S/.exec(line)?.[1]);
  assert.equal(keys(ours).slice(0, 2), keys(theirs).slice(0, 2));
  // The machine of test/vm has no libseccomp.
  assert.equal(keys(ours).slice(0, 3), ["commit", "spec", "ts-runc"]);
  assert.equal(keys(ours).slice(3), keys(ours).length > 3 ? ["libseccomp"] : []);
});

beside("help has runc's sections in runc's order, and its commands", () => {
  const read = (...argv: readonly string[]) =>
    ofBoth((name) => {
      const { status, stdout } = room.runtime(name, argv);
      assert.is(status, 0);
      return stdout;
    });
  const sections = (text: string) =>
    [...text.matchAll(/^([A-Z][A-Z ]+):$/gm)]
      .map(([, name]) => name)
      .filter((name) => name !== "EXAMPLES");
  // That of a command has runc's EXAMPLE and DESCRIPTION where there is something to say.
  for (const argv of [["help"], ["--help"]]) {
    const [ours, theirs] = read(...argv);
    assert.equal(sections(ours), sections(theirs), argv.join(" "));
  }
  const commands = (text: string) =>
    [
      ...((text.split("\nCOMMANDS:\n")[1] ?? "").split("\n\n")[0]?.matchAll(/^ +([a-z]+)/gm) ?? []),
    ].map(([, name]) => name);
  const [ours, theirs] = read("help");
  assert.ok(theirs.length > 10);
  assert.equal(
    commands(theirs).filter((name) => !commands(ours).includes(name)),
    [],
  );
});

beside("lines of the log are runc's, on standard error and in a file, as text and as JSON", () => {
  const log = join(room.directory, "log");
  const shown = (name: RuntimeName, options: readonly string[]) => {
    const { status, stderr } = room.runtime(name, [...options, "state", "absent"]);
    assert.is(status, 1);
    const written = options.includes("--log") ? readFileSync(log, "utf8") : "";
    rmSync(log, { force: true });
    return [stderr, written].map((text) =>
      text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[-+]\d\d:\d\d)/g, "TIME"),
    );
  };
  for (const options of [
    [],
    ["--log-format", "json"],
    ["--log", log],
    ["--log", log, "--log-format", "json"],
    ["--log", log, "--log-format", "text"],
  ]) {
    const [ours, theirs] = ofBoth((name) => shown(name, options));
    assert.equal(ours, theirs, options.join(" "));
    assert.match(ours.join(""), /TIME/);
  }
});

/** Each place of a document that is no object, with its type; of a list with what is in it. */
function placesOf(value: unknown, place = ""): ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return new Map([[place, value]]);
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => [...placesOf(inner, `${place}/${key}`)]),
  );
}

beside("the features document has all that runc's has", () => {
  const [ours, theirs] = ofBoth((name) =>
    placesOf(JSON.parse(room.runtime(name, ["features"]).stdout)),
  );
  const hasFilters = ours.get("/linux/seccomp/enabled") === true;
  if (!hasFilters) console.log("skip: features of seccomp: there is no libseccomp");
  for (const [place, value] of theirs) {
    if (!hasFilters && place.includes("seccomp")) continue;
    const own = ours.get(place);
    assert.is(typeof own, typeof value, place);
    if (!Array.isArray(value)) continue;
    assert.ok(Array.isArray(own), place);
    // Taken out of later versions of runc: they are data of the file system.
    const left = ["acl", "noacl"];
    assert.equal(
      value.filter((item) => Array.isArray(own) && !own.includes(item) && !left.includes(item)),
      [],
      place,
    );
  }
});

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);
test.run();
