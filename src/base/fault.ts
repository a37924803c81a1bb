// Every way in which ts-runc can fail, as one closed union, and the one error class that carries them; not their wording.

/** One place where a document breaks a rule: a JSON pointer and what is demanded there. */
export type Violation = {
  /** RFC 6901 pointer into the document; "" is the document itself. */
  readonly pointer: string;
  readonly message: string;
  /** The specification's document and section, e.g. `config.md#root`; absent for the schema's own rules. */
  readonly section?: string;
};

export type Fault =
  /** A system call failed, in the runtime process or in the init stub. */
  | {
      readonly kind: "syscall";
      /** What we were doing, as a phrase that follows "unable to" or stands alone: `mounting "proc" to rootfs at "/proc"`. */
      readonly doing: string;
      /** Name of the man page, e.g. `openat2`. */
      readonly call: string;
      /** The path, or the meaning of the descriptor; absent where the call has neither. */
      readonly target?: string;
      /** Name of the errno, e.g. `ENOENT`. */
      readonly errno: string;
      readonly where: "runtime" | "init";
    }
  /** The command line is wrong; `command` is absent for the global options. */
  | { readonly kind: "usage"; readonly message: string; readonly command?: string }
  /** A JSON document (config.json, process.json, resources) could not be read as JSON. */
  | { readonly kind: "json"; readonly document: string; readonly message: string }
  /** A JSON document breaks rules of the specification. All violations are listed. */
  | {
      readonly kind: "invalid";
      readonly document: string;
      readonly violations: readonly Violation[];
    }
  /** The configuration asks for something that this version does not do. */
  | { readonly kind: "unsupported"; readonly pointer: string; readonly what: string }
  /** The host lacks something that is needed (kernel version, controller, library). */
  | { readonly kind: "host"; readonly message: string }
  /** The container is not in a state that allows the command; wording is runc's. */
  | { readonly kind: "status"; readonly message: string }
  /** The container id is malformed, taken or unknown; wording is runc's. */
  | { readonly kind: "id"; readonly message: string }
  /** The program to run was not found or cannot be run; wording is what engines match. */
  | {
      readonly kind: "program";
      readonly program: string;
      readonly reason: string;
    }
  /** The init stub or the container's init ended when it should not have. */
  | { readonly kind: "init-died"; readonly doing: string; readonly how: string }
  /** Something given by the caller (a path, a descriptor, a rootfs) is not what it must be. */
  | { readonly kind: "refused"; readonly message: string };

/** The only error that ts-runc throws on purpose. Anything else that surfaces is a bug. */
export class FaultError extends Error {
  readonly fault: Fault;
  /** What was being done when the fault passed by, outermost first: `unable to start container process`. */
  readonly during: readonly string[];

  constructor(
    fault: Fault,
    options: { readonly cause?: unknown; readonly during?: readonly string[] } = {},
  ) {
    super(fault.kind, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "FaultError";
    this.fault = fault;
    this.during = options.during ?? [];
  }

  /** The same fault seen from one step further out. */
  within(phrase: string): FaultError {
    return new FaultError(this.fault, { cause: this.cause, during: [phrase, ...this.during] });
  }
}

/**
 * Throws the fault; the one way to raise one.
 *
 * @throws FaultError always
 */
export function raise(fault: Fault, cause?: unknown): never {
  throw new FaultError(fault, cause === undefined ? {} : { cause });
}

/** Runs `action`; a fault that leaves it gets `phrase` in front of its message. */
export function during<T>(phrase: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw error instanceof FaultError ? error.within(phrase) : error;
  }
}
