// What is said to CRIU and what it answers, as data: the messages of its RPC that containers need, and their numbers on the
// wire. The protocol is criu's rpc.proto (criu(8), "swrk"); names are spelt as there.

/** How CRIU treats the cgroups of what it dumps. */
export type CriuCgroupMode =
  | "IGNORE"
  | "CG_NONE"
  | "PROPS"
  | "SOFT"
  | "FULL"
  | "STRICT"
  | "DEFAULT";

/** `criu_opts`. Descriptors are ours, but for those of `inherit_fd`, which are CRIU's own. */
export type CriuOptions = {
  readonly images_dir_fd: number;
  readonly pid?: number;
  readonly leave_running?: boolean;
  readonly ext_unix_sk?: boolean;
  readonly tcp_established?: boolean;
  readonly evasive_devices?: boolean;
  readonly shell_job?: boolean;
  readonly file_locks?: boolean;
  readonly log_level?: number;
  readonly log_file?: string;
  readonly ps?: { readonly address: string; readonly port: number };
  readonly notify_scripts?: boolean;
  readonly root?: string;
  readonly parent_img?: string;
  readonly track_mem?: boolean;
  readonly auto_dedup?: boolean;
  readonly work_dir_fd?: number;
  readonly link_remap?: boolean;
  readonly ext_mnt?: readonly ExternalMount[];
  readonly manage_cgroups?: boolean;
  readonly cg_root?: readonly { readonly ctrl: string; readonly path: string }[];
  readonly rst_sibling?: boolean;
  readonly inherit_fd?: readonly { readonly key: string; readonly fd: number }[];
  readonly manage_cgroups_mode?: CriuCgroupMode;
  readonly external?: readonly string[];
  readonly empty_ns?: number;
  readonly join_ns?: readonly { readonly ns: string; readonly ns_file: string }[];
  readonly freeze_cgroup?: string;
  readonly tcp_skip_in_flight?: boolean;
  readonly lazy_pages?: boolean;
  readonly status_fd?: number;
  readonly orphan_pts_master?: boolean;
  readonly config_file?: string;
  readonly lsm_profile?: string;
  readonly lsm_mount_context?: string;
};

/** At a dump: mount point and the name to remember it by. At a restore: that name and the source on the host. */
export type ExternalMount = { readonly key: string; readonly val: string };

export type CriuFeature = "mem_track" | "lazy_pages";

export type CriuRequest =
  | { readonly type: "VERSION" }
  | {
      readonly type: "FEATURE_CHECK";
      readonly features: { readonly [feature in CriuFeature]?: boolean };
    }
  | { readonly type: "DUMP" | "PRE_DUMP" | "RESTORE"; readonly opts: CriuOptions }
  | { readonly type: "NOTIFY"; readonly notify_success: boolean };

type FieldType = "INT32" | "UINT32" | "BOOL" | "STRING" | `.${string}`;
/** Number and type; a type in brackets is repeated, one with an exclamation mark required. */
type Field = readonly [number: number, type: FieldType | `[${FieldType}]` | `${FieldType}!`];

/** The fields that are used, by message. Whatever else CRIU answers is passed over by the decoder. */
export const criuMessages: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  criu_page_server_info: { address: [1, "STRING"], port: [2, "INT32"] },
  ext_mount_map: { key: [1, "STRING!"], val: [2, "STRING!"] },
  join_namespace: { ns: [1, "STRING!"], ns_file: [2, "STRING!"] },
  inherit_fd: { key: [1, "STRING!"], fd: [2, "INT32!"] },
  cgroup_root: { ctrl: [1, "STRING"], path: [2, "STRING!"] },
  criu_opts: {
    images_dir_fd: [1, "INT32!"],
    pid: [2, "INT32"],
    leave_running: [3, "BOOL"],
    ext_unix_sk: [4, "BOOL"],
    tcp_established: [5, "BOOL"],
    evasive_devices: [6, "BOOL"],
    shell_job: [7, "BOOL"],
    file_locks: [8, "BOOL"],
    log_level: [9, "INT32"],
    log_file: [10, "STRING"],
    ps: [11, ".criu_page_server_info"],
    notify_scripts: [12, "BOOL"],
    root: [13, "STRING"],
    parent_img: [14, "STRING"],
    track_mem: [15, "BOOL"],
    auto_dedup: [16, "BOOL"],
    work_dir_fd: [17, "INT32"],
    link_remap: [18, "BOOL"],
    ext_mnt: [23, "[.ext_mount_map]"],
    manage_cgroups: [24, "BOOL"],
    cg_root: [25, "[.cgroup_root]"],
    rst_sibling: [26, "BOOL"],
    inherit_fd: [27, "[.inherit_fd]"],
    manage_cgroups_mode: [34, ".criu_cg_mode"],
    external: [37, "[STRING]"],
    empty_ns: [38, "UINT32"],
    join_ns: [39, "[.join_namespace]"],
    freeze_cgroup: [44, "STRING"],
    tcp_skip_in_flight: [46, "BOOL"],
    lazy_pages: [48, "BOOL"],
    status_fd: [49, "INT32"],
    orphan_pts_master: [50, "BOOL"],
    config_file: [51, "STRING"],
    lsm_profile: [53, "STRING"],
    lsm_mount_context: [63, "STRING"],
  },
  criu_features: { mem_track: [1, "BOOL"], lazy_pages: [2, "BOOL"] },
  criu_req: {
    type: [1, ".criu_req_type!"],
    opts: [2, ".criu_opts"],
    notify_success: [3, "BOOL"],
    features: [5, ".criu_features"],
  },
  criu_restore_resp: { pid: [1, "INT32!"] },
  criu_notify: { script: [1, "STRING"], pid: [2, "INT32"] },
  criu_version: {
    major_number: [1, "INT32!"],
    minor_number: [2, "INT32!"],
    gitid: [3, "STRING"],
    sublevel: [4, "INT32"],
  },
  criu_resp: {
    type: [1, ".criu_req_type!"],
    success: [2, "BOOL!"],
    restore: [4, ".criu_restore_resp"],
    notify: [5, ".criu_notify"],
    cr_errno: [7, "INT32"],
    features: [8, ".criu_features"],
    cr_errmsg: [9, "STRING"],
    version: [10, ".criu_version"],
  },
};

/** The names of each enumeration; their place is their number. */
export const criuEnumerations: Readonly<Record<string, readonly string[]>> = {
  criu_cg_mode: ["IGNORE", "CG_NONE", "PROPS", "SOFT", "FULL", "STRICT", "DEFAULT"],
  criu_req_type: [
    ...["EMPTY", "DUMP", "RESTORE", "CHECK", "PRE_DUMP", "PAGE_SERVER", "NOTIFY"],
    ...["CPUINFO_DUMP", "CPUINFO_CHECK", "FEATURE_CHECK", "VERSION", "WAIT_PID"],
    ...["PAGE_SERVER_CHLD", "SINGLE_PRE_DUMP"],
  ],
};
