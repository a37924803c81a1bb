// Statistics out of the texts of cgroup files, recorded from kernels, for both versions; and the lines that are printed of them.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { oomLine, statsLine } from "../../src/cli/print-events.ts";
import {
  parseCount,
  parseHugePageSizes,
  parseRanges,
  type ReadCgroup,
} from "../../src/plan/cgroup-stats.ts";
import { collectStatsV1 } from "../../src/plan/cgroup-stats-v1.ts";
import { collectStatsV2 } from "../../src/plan/cgroup-stats-v2.ts";
import { catchFault } from "../spec/catch-fault.ts";

const test = suite("plan/cgroup-stats");
const host = { hugePageSizes: ["2MB"], readMeminfo: () => "SwapTotal: 100 kB\nSwapFree: 40 kB\n" };

function from(files: Readonly<Record<string, string>>): ReadCgroup {
  return (controller, file) => files[controller === "" ? file : `${controller}/${file}`];
}

const filesV1 = {
  "cpu/cpu.stat": "nr_periods 10\nnr_throttled 3\nthrottled_time 5000\n",
  "cpuacct/cpuacct.usage": "2081897\n",
  "cpuacct/cpuacct.usage_percpu": "0 2081897 \n",
  "cpuacct/cpuacct.usage_all": "cpu user system\n0 0 0\n1 7 11\n",
  "cpuacct/cpuacct.stat": "user 3\nsystem 4\n",
  "cpuset/cpuset.cpus": "0-1,3\n",
  "cpuset/cpuset.mems": "0\n",
  "cpuset/cpuset.sched_load_balance": "1\n",
  "cpuset/cpuset.sched_relax_domain_level": "-1\n",
  "memory/memory.stat": "cache 10\nrss 20\n",
  "memory/memory.usage_in_bytes": "704512\n",
  "memory/memory.limit_in_bytes": "9223372036854771712\n",
  "memory/memory.max_usage_in_bytes": "970752\n",
  "memory/memory.failcnt": "2\n",
  "pids/pids.current": "1\n",
  "pids/pids.max": "max\n",
  "blkio/blkio.throttle.io_service_bytes": "254:0 Read 503808\n254:0 Write 0\nTotal 503808\n",
  "blkio/blkio.throttle.io_serviced": "254:0 Read 86\nTotal 86\n",
  "hugetlb/hugetlb.2MB.rsvd.usage_in_bytes": "4194304\n",
  "hugetlb/hugetlb.2MB.rsvd.max_usage_in_bytes": "6291456\n",
  "hugetlb/hugetlb.2MB.rsvd.failcnt": "1\n",
};

test("collectStatsV1() and statsLine() say what runc's events say of these files", () => {
  const line = statsLine("box", collectStatsV1(from(filesV1), host));
  const none = { limit: 0, failcnt: 0 };
  assert.is(line.at(-1), "\n");
  assert.equal(JSON.parse(line.replace("9223372036854771712", '"9223372036854771712"')), {
    type: "stats",
    id: "box",
    data: {
      cpu: {
        usage: {
          total: 2081897,
          percpu: [0, 2081897],
          percpu_kernel: [0, 11],
          percpu_user: [0, 7],
          kernel: 40000000,
          user: 30000000,
        },
        throttling: { periods: 10, throttledPeriods: 3, throttledTime: 5000 },
      },
      cpuset: {
        cpus: [0, 1, 3],
        cpu_exclusive: 0,
        mems: [0],
        mem_hardwall: 0,
        mem_exclusive: 0,
        memory_migrate: 0,
        memory_spread_page: 0,
        memory_spread_slab: 0,
        memory_pressure: 0,
        sched_load_balance: 1,
        sched_relax_domain_level: -1,
      },
      memory: {
        cache: 10,
        usage: { limit: "9223372036854771712", usage: 704512, max: 970752, failcnt: 2 },
        swap: none,
        kernel: none,
        kernelTCP: none,
        raw: { cache: 10, rss: 20 },
      },
      pids: { current: 1 },
      blkio: {
        ioServicedRecursive: [{ major: 254, op: "Read", value: 86 }],
        ioServiceBytesRecursive: [
          { major: 254, op: "Read", value: 503808 },
          { major: 254, op: "Write" },
        ],
      },
      hugetlb: { "2MB": { usage: 4194304, max: 6291456, failcnt: 1 } },
      intel_rdt: {},
      network_interfaces: null,
    },
  });
});

const filesV2 = {
  "cpu.stat":
    "usage_usec 10\nuser_usec 4\nsystem_usec 6\nnr_periods 1\nnr_throttled 1\nthrottled_usec 2\n",
  "cpu.pressure":
    "some avg10=1.50 avg60=0.25 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n",
  "memory.stat": "anon 100\nfile 50\n",
  "memory.current": "200\n",
  "memory.max": "1000\n",
  "memory.swap.current": "30\n",
  "memory.swap.max": "500\n",
  "pids.current": "2\n",
  "pids.max": "9\n",
  "io.stat": "254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n",
  "hugetlb.2MB.current": "0\n",
  "hugetlb.2MB.events": "max 4\n",
};

test("collectStatsV2() turns what v2 counts into what v1 would say", () => {
  const { data } = JSON.parse(statsLine("box", collectStatsV2(from(filesV2), host)));
  assert.equal(data.cpu, {
    usage: { total: 10000, kernel: 6000, user: 4000 },
    throttling: { periods: 1, throttledPeriods: 1, throttledTime: 2000 },
    psi: {
      some: { avg10: 1.5, avg60: 0.25, avg300: 0, total: 77 },
      full: { avg10: 0, avg60: 0, avg300: 0, total: 5 },
    },
  });
  assert.is(data.memory.cache, 50);
  assert.equal(data.memory.usage, { limit: 1000, usage: 200, failcnt: 0 });
  assert.equal(data.memory.swap, { limit: 1500, usage: 230, failcnt: 0 });
  assert.equal(data.pids, { current: 2, limit: 9 });
  assert.equal(data.blkio, {
    ioServiceBytesRecursive: [
      { major: 254, op: "Read", value: 1 },
      { major: 254, op: "Write", value: 2 },
    ],
    ioServicedRecursive: [
      { major: 254, op: "Read", value: 3 },
      { major: 254, op: "Write", value: 4 },
    ],
  });
  assert.equal(data.hugetlb, { "2MB": { failcnt: 4 } });
});

test("the root group of v2 has the host's usage, and an unlimited one the largest number", () => {
  const root = statsLine(
    "box",
    collectStatsV2(from({ "memory.stat": "anon 100\nfile 50\n" }), host),
  );
  const exact = root.replaceAll("18446744073709551615", '"max"');
  const { usage, swap } = JSON.parse(exact).data.memory;
  assert.equal(usage, { limit: "max", usage: 150, failcnt: 0 });
  assert.equal(swap, { limit: "max", usage: 150 + 60 * 1024, failcnt: 0 });
});

test("files that are not there count as zero, and odd ones are refused by their text", () => {
  assert.is(
    JSON.parse(statsLine("box", collectStatsV1(from({}), host))).data.pids.current,
    undefined,
  );
  assert.is(parseCount("-3"), 0n, "a counter that a bug of the kernel has taken below zero");
  const fault = catchFault(() => collectStatsV2(from({ "pids.current": "x\n" }), host))?.fault;
  assert.is(fault?.kind === "host" && fault.message, 'unable to parse "x" as a number');
  assert.equal(parseRanges("0-2,7"), [0, 1, 2, 7]);
  assert.is(parseRanges("0-99999999999").length, 65_536);
  assert.equal(
    parseHugePageSizes(["hugepages-64kB", "hugepages-2048kB", "hugepages-1048576kB", "x"]),
    ["64KB", "2MB", "1GB"],
  );
});

test("oomLine() is one object", () => {
  assert.is(oomLine("box"), '{"type":"oom","id":"box"}\n');
});

test.run();
