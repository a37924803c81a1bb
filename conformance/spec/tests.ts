// All tests, by the id of the demand that each is of.

import type { Tests } from "./room.ts";
import { lifecycleTests } from "./tests-lifecycle.ts";
import { configMountTests } from "./tests-mounts.ts";
import { operationTests } from "./tests-operations.ts";
import { processTests } from "./tests-process.ts";
import { stateTests } from "./tests-state.ts";

export const tests: Tests = {
  ...stateTests,
  ...lifecycleTests,
  ...operationTests,
  ...configMountTests,
  ...processTests,
};
