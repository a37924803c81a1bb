// Every demand of the suite, in the order of the documents; each has a test of its id, or the reason why not.

import type { Demand } from "./demand.ts";
import { cgroupDemands } from "./demands-cgroups.ts";
import { configDemands } from "./demands-config.ts";
import { linuxDemands } from "./demands-config-linux.ts";
import { featuresDemands } from "./demands-features.ts";
import { hookDemands } from "./demands-hooks.ts";
import { runtimeDemands } from "./demands-runtime.ts";
import { seccompDemands } from "./demands-seccomp.ts";

export const demands: readonly Demand[] = [
  ...configDemands,
  ...hookDemands,
  ...linuxDemands,
  ...cgroupDemands,
  ...seccompDemands,
  ...runtimeDemands,
  ...featuresDemands,
];
