// ts-runc program: prints what would be done for a bundle on this host, call by call, and does nothing.

import { prepare } from "../container/prepare.ts";
import { createProgram } from "../plan/create-program.ts";
import { checkProgram } from "../program/check.ts";
import { printProgram } from "../program/print.ts";
import { parseContainerId } from "../spec/container-id.ts";
import { absolutePath } from "./absolute-path.ts";
import type { Invocation } from "./invocation.ts";
import { text } from "./options.ts";
import { print } from "./output.ts";

/** Prints the init program of a bundle, as `create` would have it carried out. */
export async function program({ globals, values, log }: Invocation): Promise<number> {
  const { spec, facts } = await prepare(
    {
      root: globals.root,
      id: parseContainerId("container"),
      bundle: absolutePath(text(values, "bundle") ?? "."),
      noPivot: false,
      noNewKeyring: false,
      preserveFds: 0,
      cgroupManager: globals.cgroupManager,
      rootless: globals.rootless,
      warn: log.warning,
    },
    { detached: false, fate: "parked" },
  );
  const planned = createProgram(spec, facts);
  checkProgram(planned);
  print(printProgram(planned));
  return 0;
}
