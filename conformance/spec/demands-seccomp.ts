// What config-linux.md demands of a runtime about seccomp, in our own words.

import { demandsOf } from "./demand.ts";

export const seccompDemands = demandsOf("config-linux.md", {
  Seccomp: [
    ["seccomp-default-required", "REQUIRED", "a seccomp without defaultAction is refused"],
    ["seccomp-default", "APPLY", "defaultAction is for calls that no rule matches"],
    ["seccomp-default-errno", "APPLY", "defaultErrnoRet is the error of the default action"],
    [
      "seccomp-default-errno-not",
      "MUST",
      "a default action that has no error is refused with defaultErrnoRet",
    ],
    ["seccomp-errno-default", "APPLY", "without errnoRet the error is EPERM"],
    ["seccomp-flags", "APPLY", "the flags of the config are used"],
    ["seccomp-flag-unknown", "APPLY", "a flag that is none is refused"],
    ["seccomp-metadata", "MUST NOT", "listenerMetadata without listenerPath is refused"],
    ["seccomp-names", "MUST", "a rule without names is refused"],
    ["seccomp-action-required", "REQUIRED", "a rule without action is refused"],
    ["seccomp-action", "APPLY", "a rule's action is for the calls that it names"],
    ["seccomp-errno", "APPLY", "errnoRet is the error of a rule"],
    ["seccomp-errno-not", "MUST", "an action that has no error is refused with errnoRet"],
    ["seccomp-args-required", "REQUIRED", "an argument without index, value or op is refused"],
    ["seccomp-args", "APPLY", "a rule with arguments is for calls with these"],
    ["seccomp-architecture-unknown", "APPLY", "an architecture that is none is refused"],
    ["seccomp-kill", "APPLY", "SCMP_ACT_KILL_PROCESS ends the program"],
  ],
  "Seccomp listener": [
    ["listener-stream", "MUST", "the socket of listenerPath is a stream socket of the unix domain"],
    ["listener-one", "MUST", "a connection carries one state"],
    ["listener-closed", "MUST", "the connection is closed after it"],
    ["listener-not-reused", "MUST NOT", "the next container makes a connection of its own"],
    ["listener-fails", "MUST", "when the socket cannot be reached, create or start fails"],
    ["listener-ignored", "APPLY", "without SCMP_ACT_NOTIFY listenerPath is ignored"],
    ["listener-fd", "REQUIRED", "the seccomp descriptor is sent, and called seccompFd"],
    ["listener-metadata", "APPLY", "listenerMetadata is the metadata of the state"],
  ],
  "The Container Process State": [
    ["process-state-json", "MUST", "the state is sent as JSON"],
    ["process-state-rights", "MUST", "descriptors are sent by SCM_RIGHTS"],
    ["process-state-first", "MUST", "descriptors come with the first part of the message"],
    ["process-state-version", "REQUIRED", "ociVersion is a version of the specification"],
    ["process-state-pid", "REQUIRED", "pid is the process as the runtime sees it"],
    ["process-state-state", "REQUIRED", "state is the container's state"],
  ],
});
