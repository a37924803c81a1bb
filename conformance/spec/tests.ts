// All tests, by the id of the demand that each is of.

import type { Tests } from "./room.ts";
import { cgroupTests } from "./tests-cgroups.ts";
import { featuresTests } from "./tests-features.ts";
import { hookTests } from "./tests-hooks.ts";
import { lifecycleTests } from "./tests-lifecycle.ts";
import { linuxTests } from "./tests-linux.ts";
import { configMountTests } from "./tests-mounts.ts";
import { operationTests } from "./tests-operations.ts";
import { processTests } from "./tests-process.ts";
import { requiredTests } from "./tests-required.ts";
import { seccompTests } from "./tests-seccomp.ts";
import { stateTests } from "./tests-state.ts";

export const tests: Tests = {
  ...configMountTests,
  ...processTests,
  ...requiredTests,
  ...hookTests,
  ...linuxTests,
  ...cgroupTests,
  ...seccompTests,
  ...stateTests,
  ...lifecycleTests,
  ...operationTests,
  ...featuresTests,
};
