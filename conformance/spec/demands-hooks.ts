// What config.md demands of hooks, in our own words: the same for each kind, and when each is run.

import { demandsOf, type Line } from "./demand.ts";

export type HookKind = {
  readonly name: string;
  readonly operation: "create" | "start" | "delete";
  /** In whose namespaces it is run, and in whose files its path is looked up. */
  readonly runsIn: "runtime" | "container";
  readonly resolvesIn: "runtime" | "container";
};

export const hookKinds: readonly HookKind[] = [
  { name: "prestart", operation: "create", runsIn: "runtime", resolvesIn: "runtime" },
  { name: "createRuntime", operation: "create", runsIn: "runtime", resolvesIn: "runtime" },
  { name: "createContainer", operation: "create", runsIn: "container", resolvesIn: "runtime" },
  { name: "startContainer", operation: "start", runsIn: "container", resolvesIn: "container" },
  { name: "poststart", operation: "start", runsIn: "runtime", resolvesIn: "runtime" },
  { name: "poststop", operation: "delete", runsIn: "runtime", resolvesIn: "runtime" },
];

const forEach = hookKinds.flatMap(({ name, runsIn, resolvesIn }): readonly Line[] => [
  [
    `hook-${name}-path`,
    "MUST",
    `the path of a ${name} hook is looked up in the ${resolvesIn}'s files`,
  ],
  [`hook-${name}-namespace`, "MUST", `${name} hooks are run in the ${runsIn}'s namespaces`],
  [`hook-${name}-order`, "MUST", `${name} hooks are run in the order of the list`],
  [`hook-${name}-state`, "MUST", `${name} hooks read the container's state from standard input`],
]);

export const hookDemands = demandsOf("config.md", {
  "POSIX-platform Hooks": [
    ["hook-path-required", "REQUIRED", "a hook without path is refused"],
    ["hook-path-absolute", "MUST", "a hook whose path is not absolute is refused"],
    ["hook-args", "APPLY", "a hook has the arguments of the config"],
    ["hook-env", "APPLY", "a hook has the environment of the config, and no more"],
    ["hook-timeout", "APPLY", "a hook that takes longer than timeout fails"],
    ["hook-timeout-zero", "MUST", "a timeout that is not above zero is refused"],
    ...forEach,
  ],
  Prestart: [
    [
      "prestart-when",
      "MUST",
      "prestart hooks are run when the namespaces are there, before pivot_root",
    ],
    ["prestart-first", "MUST", "prestart hooks are run before createRuntime hooks"],
  ],
  "CreateRuntime Hooks": [
    [
      "create-runtime-when",
      "MUST",
      "createRuntime hooks are run when the namespaces are there, before pivot_root",
    ],
  ],
  "CreateContainer Hooks": [
    [
      "create-container-when",
      "MUST",
      "createContainer hooks are run when the mounts are there, before pivot_root",
    ],
    ["create-container-after", "MUST", "createContainer hooks are run after createRuntime hooks"],
  ],
  "StartContainer Hooks": [
    ["start-container-when", "MUST", "startContainer hooks are run before the program"],
  ],
  Poststart: [
    ["poststart-when", "MUST", "poststart hooks are run when the program runs, before start ends"],
  ],
  Poststop: [
    [
      "poststop-when",
      "MUST",
      "poststop hooks are run when the container is gone, before delete ends",
    ],
  ],
});
