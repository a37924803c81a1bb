// Block I/O, huge pages, RDMA and network classes as writes for both versions of cgroups.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CgroupStep, ResourcePlan } from "../../src/plan/cgroup.ts";
import { convertBlockIoWeight } from "../../src/plan/cgroup-block-io.ts";
import { planResourcesV1 } from "../../src/plan/cgroup-v1.ts";
import { planResourcesV2 } from "../../src/plan/cgroup-v2.ts";
import type { LinuxResources } from "../../src/spec/resources.ts";

const test = suite("plan/cgroup-block-io");

function word(step: CgroupStep): string[] {
  if (step.kind !== "write" || step.property === "devices") return [];
  const instead =
    step.instead === undefined ? "" : ` or ${step.instead.file}=${step.instead.value}`;
  const tolerated = Object.keys(step.tolerated ?? {}).map((errno) => ` !${errno}`);
  return [`${step.controller}/${step.file}=${step.value}${instead}${tolerated.join("")}`];
}

const words = ({ steps }: ResourcePlan): string[] => steps.flatMap(word);
const v1 = (resources: LinuxResources): string[] => words(planResourcesV1(resources));
const v2 = (resources: LinuxResources): string[] => words(planResourcesV2(resources));

test("weights go to the file that the kernel has", () => {
  const blockIO = {
    weight: 500,
    leafWeight: 300,
    weightDevice: [{ major: 8, minor: 0, weight: 1000, leafWeight: 10 }],
  };
  assert.equal(v1({ blockIO }), [
    "blkio/blkio.weight=500 or blkio.bfq.weight=500",
    "blkio/blkio.leaf_weight=300",
    "blkio/blkio.weight_device=8:0 1000 or blkio.bfq.weight_device=8:0 1000",
    "blkio/blkio.leaf_weight_device=8:0 10",
  ]);
  assert.equal(v2({ blockIO }), [
    "/io.bfq.weight=500 or io.weight=4950",
    "/io.bfq.weight=8:0 1000 or io.weight=8:0 10000",
  ]);
  assert.equal(planResourcesV2({ blockIO }).ignored, [
    { property: "blockIO.leafWeight", because: "cgroup v2 has no such file" },
  ]);
});

test("convertBlockIoWeight() maps the ends of one range onto those of the other", () => {
  assert.equal([10, 1000, 0].map(convertBlockIoWeight), [1, 10000, 0]);
});

test("throttles are a line for each device", () => {
  const device = (minor: number, rate: number) => ({ major: 8, minor, rate });
  const blockIO = {
    throttleReadBpsDevice: [device(0, 1), device(16, 2 ** 63)],
    throttleWriteBpsDevice: [device(0, 2)],
    throttleReadIOPSDevice: [device(0, 3)],
    throttleWriteIOPSDevice: [device(0, 4)],
  };
  assert.equal(v1({ blockIO }), [
    "blkio/blkio.throttle.read_bps_device=8:0 1",
    "blkio/blkio.throttle.read_bps_device=8:16 9223372036854775808",
    "blkio/blkio.throttle.write_bps_device=8:0 2",
    "blkio/blkio.throttle.read_iops_device=8:0 3",
    "blkio/blkio.throttle.write_iops_device=8:0 4",
  ]);
  assert.equal(v2({ blockIO }), [
    "/io.max=8:0 rbps=1",
    "/io.max=8:16 rbps=9223372036854775808",
    "/io.max=8:0 wbps=2",
    "/io.max=8:0 riops=3",
    "/io.max=8:0 wiops=4",
  ]);
});

test("huge pages are limited in use, and in reservations where the kernel counts them", () => {
  const hugepageLimits = [
    { pageSize: "2MB", limit: 4194304 },
    { pageSize: "1GB", limit: 0 },
  ];
  assert.equal(v1({ hugepageLimits }), [
    "hugetlb/hugetlb.2MB.limit_in_bytes=4194304",
    "hugetlb/hugetlb.2MB.rsvd.limit_in_bytes=4194304 !ENOENT",
    "hugetlb/hugetlb.1GB.limit_in_bytes=0",
    "hugetlb/hugetlb.1GB.rsvd.limit_in_bytes=0 !ENOENT",
  ]);
  assert.equal(v2({ hugepageLimits }).slice(0, 2), [
    "/hugetlb.2MB.max=4194304",
    "/hugetlb.2MB.rsvd.max=4194304 !ENOENT",
  ]);
});

test("RDMA devices get a line of what is given", () => {
  const rdma = {
    mlx5_1: { hcaHandles: 3, hcaObjects: 10000 },
    mlx4_0: { hcaObjects: 1000 },
    rxe: {},
  };
  const lines = [
    "rdma.max=mlx5_1 hca_handle=3 hca_object=10000",
    "rdma.max=mlx4_0 hca_object=1000",
  ];
  assert.equal(
    v1({ rdma }),
    lines.map((line) => `rdma/${line}`),
  );
  assert.equal(
    v2({ rdma }),
    lines.map((line) => `/${line}`),
  );
});

test("network classes and priorities are v1's alone", () => {
  const network = { classID: 1048577, priorities: [{ name: "eth0", priority: 500 }] };
  assert.equal(v1({ network }), [
    "net_cls/net_cls.classid=1048577",
    "net_prio/net_prio.ifpriomap=eth0 500",
  ]);
  assert.equal(v2({ network }), []);
  assert.equal(
    planResourcesV2({ network }).ignored.map(({ property }) => property),
    ["network.classID", "network.priorities"],
  );
});

test.run();
