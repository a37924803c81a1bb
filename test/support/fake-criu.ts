// A criu for tests: it speaks the protocol of `criu swrk`, writes down what it is asked, and says what a scenario tells it to;
// nothing is saved, and what it "restores" is a program that it starts. Run by a script called criu, see makeFakeCriu.

import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { openFlags } from "../../src/abi/file.ts";
import { controlMessage, ioVector, messageHeader } from "../../src/abi/struct.ts";
import { terminalRequests } from "../../src/abi/terminal.ts";
import { executeForOutput, must } from "../../src/ffi/execute.ts";
import { pinBuffer } from "../../src/ffi/pinned-buffer.ts";
import { describeMessage } from "../../src/host/criu/messages.ts";
import { read, write } from "../../src/syscall/files.ts";
import { bytes, call, number, struct } from "../../src/syscall/value.ts";

export type Scenario = {
  /** Major, minor and sublevel; 3.17.1 when absent. */
  readonly version?: readonly [number, number, number];
  readonly features?: Readonly<Record<string, boolean>>;
  /** What is said before the answer, in order. */
  readonly scripts?: readonly string[];
  /** Breaks off at this script, by its own exit status. */
  readonly exitAt?: { readonly script: string; readonly status: number };
  readonly failure?: { readonly errno: number; readonly message?: string; readonly log?: string };
  /** Status with which it ends after a success. */
  readonly status?: number;
  /** Bytes in place of the answer. */
  readonly garbage?: true;
  /** What becomes of the restored init. */
  readonly program?: readonly string[];
  /** What it writes to its terminal. */
  readonly says?: string;
};

export type Asked = {
  readonly type: string;
  readonly opts?: Readonly<Record<string, unknown>>;
  readonly features?: unknown;
  readonly notify_success?: boolean;
  /** Where the descriptors led that were named. */
  readonly images?: string;
  readonly work?: string;
  readonly inherited?: readonly string[];
  /** About the process that was asked. */
  readonly cgroup: string;
  readonly mounts: readonly string[];
  readonly streams: readonly string[];
};

export type FakeCriu = {
  /** To be given to ts-runc. */
  readonly env: Readonly<Record<string, string>>;
  readonly play: (scenario: Scenario) => void;
  /** What has been asked since `play`. */
  readonly asked: () => readonly Asked[];
};

/** Makes a directory with a criu for PATH. */
export function makeFakeCriu(directory: string): FakeCriu {
  mkdirSync(directory);
  const criu = join(directory, "criu");
  const own = `${process.execPath} ${import.meta.path}`;
  writeFileSync(criu, `#!/bin/sh\nexec ${own} ${directory} "$@"\n`);
  chmodSync(criu, 0o755);
  const requests = join(directory, "requests");
  return {
    env: { PATH: `${directory}:${process.env["PATH"] ?? ""}` },
    play: (scenario) => {
      writeFileSync(join(directory, "scenario.json"), JSON.stringify(scenario));
      writeFileSync(requests, "");
    },
    asked: () =>
      readFileSync(requests, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line)),
  };
}

/** A request as JSON. */
type Heard = {
  readonly type: string;
  readonly opts?: {
    readonly images_dir_fd: number;
    readonly work_dir_fd?: number;
    readonly pid?: number;
    readonly leave_running?: boolean;
    readonly log_file?: string;
    readonly inherit_fd?: readonly { readonly fd: number }[];
  };
};

function main(directory: string, mode: string, socket: number): never {
  if (mode !== "swrk") throw new Error(`criu ${mode}`);
  const scenario: Scenario = JSON.parse(readFileSync(join(directory, "scenario.json"), "utf8"));
  const request = receive(socket);
  const { opts } = request;
  // CRIU looks for descriptors in the process that has made the socket: for a restore it is to be CRIU itself.
  const owner = request.type === "RESTORE" ? process.pid : process.ppid;
  const link = (pid: number, fd: number): string => readlinkSync(`/proc/${pid}/fd/${fd}`);
  const images = opts === undefined ? undefined : link(owner, opts.images_dir_fd);
  const work = opts?.work_dir_fd === undefined ? undefined : link(owner, opts.work_dir_fd);
  note(directory, {
    ...request,
    cgroup: readFileSync("/proc/self/cgroup", "utf8"),
    mounts: readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n"),
    streams: [0, 1, 2].map((fd) => link(process.pid, fd)),
    inherited: (opts?.inherit_fd ?? []).map(({ fd }) => link(process.pid, fd)),
    ...(images === undefined ? {} : { images }),
    ...(work === undefined ? {} : { work }),
  });
  if (scenario.failure?.log !== undefined && opts?.log_file !== undefined) {
    writeFileSync(join(work ?? images ?? "", opts.log_file), scenario.failure.log);
  }
  return act(socket, { scenario, request, directory });
}

function note(directory: string, asked: object): void {
  appendFileSync(join(directory, "requests"), `${JSON.stringify(asked)}\n`);
}

function act(
  socket: number,
  asked: { readonly scenario: Scenario; readonly request: Heard; readonly directory: string },
): never {
  const { scenario, request, directory } = asked;
  const { type, opts } = request;
  const { version: [major, minor, sublevel] = [3, 17, 1], failure } = scenario;
  const answer = (fields: object): void => send(socket, { type, success: true, ...fields });
  if (type === "VERSION") {
    answer({ version: { major_number: major, minor_number: minor, sublevel } });
    process.exit(0);
  }
  if (type === "FEATURE_CHECK") {
    answer({ features: scenario.features ?? {} });
    process.exit(0);
  }
  const pid = type === "RESTORE" ? startProgram(scenario) : 1;
  for (const script of scenario.scripts ?? []) {
    if (scenario.exitAt?.script === script) process.exit(scenario.exitAt.status);
    const terminal = script === "orphan-pts-master" ? openTerminal(scenario) : undefined;
    send(socket, { type: "NOTIFY", success: true, notify: { script, pid } }, terminal);
    note(directory, receive(socket));
  }
  if (scenario.garbage) {
    must(write(socket, new Uint8Array([255, 255])), "answering");
    process.exit(0);
  }
  if (failure !== undefined) {
    const { errno, message } = failure;
    const text = message === undefined ? {} : { cr_errmsg: message };
    send(socket, { type, success: false, cr_errno: errno, ...text });
    process.exit(1);
  }
  if (type === "DUMP" && opts?.leave_running !== true) process.kill(opts?.pid ?? 0, "SIGKILL");
  answer(type === "RESTORE" ? { restore: { pid } } : {});
  // The end of the runtime's socket ends the conversation.
  executeForOutput(read(socket, 1));
  process.exit(scenario.status ?? 0);
}

/** A new terminal's master; its other side is open as long as we are. */
function openTerminal({ says }: Scenario): number {
  const master = openSync("/dev/ptmx", "r+");
  if (says === undefined) return master;
  const unlocked = bytes(new Uint8Array(4));
  must(
    call("ioctl", number(master), number(terminalRequests.TIOCSPTLCK), unlocked),
    "unlocking the terminal",
  );
  const flags = openFlags.O_RDWR | openFlags.O_NOCTTY;
  const open = call("ioctl", number(master), number(terminalRequests.TIOCGPTPEER), number(flags));
  writeSync(must(open, "opening the terminal"), says);
  return master;
}

function startProgram({ program = ["sleep", "1000"] }: Scenario): number {
  const { pid } = Bun.spawn([...program], { stdio: ["ignore", "inherit", "inherit"] });
  const network = (which: number | "self"): string => readlinkSync(`/proc/${which}/ns/net`);
  // Namespaces are there before anything is said of them.
  const waits = program[0] === "unshare" ? 1000 : 0;
  for (let waited = 0; waited < waits && network(pid) === network("self"); waited += 1) {
    Bun.sleepSync(5);
  }
  return pid;
}

function receive(socket: number): Heard {
  const { result, output } = executeForOutput(read(socket, 65536));
  // The runtime has gone: nobody is to be told.
  if (result <= 0) process.exit(3);
  const request = describeMessage("criu_req");
  const json = toJson(request, fromBinary(request, output.subarray(0, result)), {
    useProtoFieldName: true,
  });
  return JSON.parse(JSON.stringify(json));
}

function send(socket: number, fields: object, descriptor?: number): void {
  const response = describeMessage("criu_resp");
  const message = toBinary(response, fromJson(response, JSON.parse(JSON.stringify(fields))));
  const pinned = pinBuffer(message.byteLength);
  pinned.bytes.set(message);
  const header = struct(messageHeader, {
    msg_iov: struct(ioVector, {
      iov_base: number(pinned.address),
      iov_len: number(message.byteLength),
    }),
    msg_iovlen: number(1),
    ...(descriptor === undefined
      ? {}
      : {
          msg_control: struct(controlMessage, {
            "header.cmsg_len": number(controlMessage.sizeBytes - 4),
            "header.cmsg_level": number(1),
            "header.cmsg_type": number(1),
            descriptor: number(descriptor),
          }),
          msg_controllen: number(controlMessage.sizeBytes),
        }),
  });
  must(call("sendmsg", number(socket), header, number(0)), "answering");
}

if (import.meta.main) {
  const [directory = "", mode = "", socket = ""] = process.argv.slice(2);
  main(directory, mode, Number(socket));
}
