// What runtime.md and runtime-linux.md demand of a runtime, in our own words.

import { demandsOf } from "./demand.ts";

export const runtimeDemands = [
  ...demandsOf("runtime.md", {
    "Scope of a Container": [
      ["scope", "MUST", "whoever has created a container can use every operation on it"],
    ],
    State: [
      ["state-properties", "MUST", "the state has ociVersion, id, status, pid and bundle"],
      [
        "state-version",
        "REQUIRED",
        "ociVersion is the version of the specification that the state follows",
      ],
      ["state-id", "REQUIRED", "id is the id that the container was given"],
      ["state-unique", "MUST", "no two containers of a host have the same id"],
      ["state-creating", "REQUIRED", "status is not yet `created` while the hooks of create run"],
      ["state-created", "REQUIRED", "status is `created` after create and before start"],
      ["state-running", "REQUIRED", "status is `running` while the program runs"],
      ["state-stopped", "REQUIRED", "status is `stopped` when the process has ended"],
      ["state-more", "MUST", "a status of the runtime's own stands for none of the four states"],
      [
        "state-pid",
        "REQUIRED",
        "pid is the container's process as the host sees it, in `created` and `running`",
      ],
      [
        "state-pid-hook",
        "REQUIRED",
        "a hook in the runtime's namespaces is told the pid that the runtime sees",
      ],
      ["state-bundle", "REQUIRED", "bundle is the absolute path of the bundle"],
      ["state-annotations", "APPLY", "annotations are those of the config"],
      [
        "state-json",
        "MUST",
        "as JSON the state is an object with strings, an integer pid and a map of strings",
      ],
    ],
    Lifecycle: [
      ["life-environment", "MUST", "create makes the environment that the config describes"],
      ["life-error", "MUST", "create fails when the environment cannot be made"],
      ["life-resources", "MUST", "what the config asks for is there before the program runs"],
      ["life-not-run", "MUST NOT", "create does not run the program"],
      ["life-config", "MUST NOT", "changing config.json after create changes nothing"],
      ["life-prestart", "MUST", "prestart hooks are run by create"],
      [
        "life-prestart-fails",
        "MUST",
        "a failing prestart hook fails create, and nothing stays of the container",
      ],
      ["life-create-runtime", "MUST", "createRuntime hooks are run by create"],
      [
        "life-create-runtime-fails",
        "MUST",
        "a failing createRuntime hook fails create, and nothing stays of the container",
      ],
      ["life-create-container", "MUST", "createContainer hooks are run by create"],
      [
        "life-create-container-fails",
        "MUST",
        "a failing createContainer hook fails create, and nothing stays of the container",
      ],
      ["life-start-container", "MUST", "startContainer hooks are run by start"],
      [
        "life-start-container-fails",
        "MUST",
        "a failing startContainer hook fails start, and the program does not run",
      ],
      ["life-run", "MUST", "start runs the program of `process`"],
      ["life-poststart", "MUST", "poststart hooks are run by start"],
      [
        "life-poststart-fails",
        "MUST",
        "a failing poststart hook fails start, and the program is stopped",
      ],
      ["life-destroy", "MUST", "delete undoes what create has made"],
      ["life-poststop", "MUST", "poststop hooks are run by delete"],
      ["life-poststop-fails", "MUST", "a failing poststop hook is only warned of: delete succeeds"],
      ["life-poststop-others", "MUST", "after a failing poststop hook the others run"],
    ],
    Errors: [
      [
        "errors-nothing",
        "MUST",
        "an operation that fails leaves no mount, no cgroup and no container",
      ],
      ["errors-start", "MUST", "a start that is refused leaves the container's state as it was"],
    ],
    Warnings: [["warnings-go-on", "MUST", "an operation that warns goes on as if it had not"]],
    Operations: [["operations", "MUST", "state, create, start, kill and delete are there"]],
    "Query State": [
      ["query-no-id", "MUST", "state without an id is an error"],
      ["query-unknown", "MUST", "state of a container that is not there is an error"],
      ["query-state", "MUST", "state prints the container's state"],
    ],
    Create: [
      ["create-no-id", "MUST", "create without an id is an error"],
      ["create-no-bundle", "MUST", "create in a place that is no bundle is an error"],
      ["create-taken", "MUST", "create with an id that is taken is an error"],
      [
        "create-taken-kept",
        "MUST NOT",
        "create with an id that is taken makes nothing and leaves the other container alone",
      ],
      ["create-invalid", "MUST", "create with an id that is none is an error"],
      ["create-container", "MUST", "create makes a container"],
      ["create-applies", "MUST", "create applies every property but the process"],
      ["create-args", "MUST NOT", "process.args have to wait for start"],
      ["create-cannot", "MUST", "create fails when it cannot apply a property"],
      ["create-cannot-none", "MUST NOT", "a create that has failed leaves no container"],
    ],
    Start: [
      ["start-no-id", "MUST", "start without an id is an error"],
      ["start-unknown", "MUST", "start of a container that is not there is an error"],
      ["start-running", "MUST", "start of a running container is an error"],
      ["start-running-kept", "MUST", "start of a running container does nothing to it"],
      ["start-stopped", "MUST", "start of a stopped container is an error"],
      ["start-stopped-kept", "MUST", "start of a stopped container does not run it again"],
      ["start-runs", "MUST", "start runs the program with its arguments"],
      ["start-no-process", "MUST", "a container without `process` cannot be started"],
    ],
    Kill: [
      ["kill-no-id", "MUST", "kill without an id is an error"],
      ["kill-stopped", "MUST", "kill of a stopped container is an error"],
      ["kill-stopped-kept", "MUST", "kill of a stopped container leaves it stopped"],
      ["kill-sends", "MUST", "kill sends the signal that it was told to the process"],
      ["kill-created", "MUST", "kill reaches the process of a created container"],
    ],
    Delete: [
      ["delete-no-id", "MUST", "delete without an id is an error"],
      ["delete-unknown", "MUST", "delete of a container that is not there is an error"],
      ["delete-created", "MUST", "delete of a created container is an error"],
      ["delete-created-kept", "MUST", "delete of a created container does nothing to it"],
      ["delete-running", "MUST", "delete of a running container is an error"],
      ["delete-running-kept", "MUST", "delete of a running container does nothing to it"],
      ["delete-resources", "MUST", "delete removes the cgroups that create has made"],
      [
        "delete-others",
        "MUST NOT",
        "delete leaves alone what create has only used: a joined namespace, the source of a mount",
      ],
    ],
    Hooks: [
      [
        "hooks-operations",
        "MUST",
        "a hook is run by the operation that it belongs to, not by another",
      ],
    ],
  }),
  ...demandsOf("runtime-linux.md", {
    "File descriptors": [
      [
        "descriptors",
        "APPLY",
        "of the descriptors only the three standard streams are open in the program",
      ],
    ],
    "Dev symbolic links": [
      ["dev-fd", "MUST", "/dev/fd is a link to /proc/self/fd"],
      ["dev-stdin", "MUST", "/dev/stdin is a link to /proc/self/fd/0"],
      ["dev-stdout", "MUST", "/dev/stdout is a link to /proc/self/fd/1"],
      ["dev-stderr", "MUST", "/dev/stderr is a link to /proc/self/fd/2"],
    ],
  }),
];
