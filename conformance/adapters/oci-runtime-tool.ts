// `oci-runtime-tool validate` of OCI runtime-tools, against our sample bundles and against what the runtime's `spec` writes.

import { cpSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "./outputs.ts";
import { type Adapter, type Ended, quote } from "./suite.ts";

const samples = join(import.meta.dir, "../../bundles");
/** What `prepare` makes beside the config; it is made anew in our copy. */
const isMade = /\/(rootfs|lower|upper|work|data)$/;

export const ociRuntimeTool: Adapter = {
  says: "oci-runtime-tool validate of OCI runtime-tools, against our bundles and the runtime's spec",
  timeoutSeconds: 60,
  choosesTests: false,
  lacks: ({ checkout }) =>
    existsSync(join(checkout, "oci-runtime-tool"))
      ? []
      : ["oci-runtime-tool is missing: make tool"],
  programs: (room) => {
    const bundles = join(room.scratch, "bundles");
    cpSync(samples, bundles, { recursive: true, filter: (path) => !isMade.test(path) });
    const tool = `${quote(join(room.checkout, "oci-runtime-tool"))} validate --path .`;
    // It refuses every version of the specification but one, which it names then.
    const validate = `version=$(${tool} 2>&1 | sed -n 's/.*only handles version \\([^ ,]*\\),.*/\\1/p')
[ -z "$version" ] || sed -i 's/"ociVersion": *"[^"]*"/"ociVersion": "'"$version"'"/' config.json
exec ${tool}`;
    const ofSample = (name: string) => ({
      name,
      // One of them pins a namespace in /run, where another run of it would find it.
      argv: ["sh", "-c", `set -e\nmount -t tmpfs run /run\n./prepare >&2\n${validate}`],
      cwd: join(bundles, name),
    });
    const ofSpec = (name: string, options: string) => {
      const cwd = join(bundles, name.replaceAll(" ", "-"));
      mkdirSync(join(cwd, "rootfs"), { recursive: true });
      return {
        name,
        argv: ["sh", "-c", `set -e\n${quote(room.runtime)} spec${options}\n${validate}`],
        cwd,
      };
    };
    return [
      ...sampleNames().map(ofSample),
      ofSpec("spec", ""),
      ofSpec("spec --rootless", " --rootless"),
    ];
  },
  read: readValidation,
};

function sampleNames(): readonly string[] {
  return readdirSync(samples)
    .filter((name) => existsSync(join(samples, name, "config.json")))
    .sort();
}

function readValidation({ output, status }: Ended): Report {
  const name = "the bundle is valid";
  if (status === 0 && output.includes("Bundle validation succeeded")) {
    return { checks: [{ name, verdict: "pass", detail: "" }] };
  }
  return { checks: [{ name, verdict: "fail", detail: output.trim() }] };
}
