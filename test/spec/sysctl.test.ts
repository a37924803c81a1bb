import { suite } from "uvu";
import * as assert from "uvu/assert";
import { sysctlComponents, sysctlNamespace } from "../../src/spec/sysctl.ts";

const test = suite("spec/sysctl");

test("sysctlComponents() lets the first separator decide what the other one means", () => {
  const components = ["net", "ipv4", "conf", "eth0.1", "mtu"];
  assert.equal(sysctlComponents("net.ipv4.conf.eth0/1.mtu"), components);
  assert.equal(sysctlComponents("net/ipv4/conf/eth0.1/mtu"), components);
});

test("sysctlNamespace() knows the sysctls that runc allows, and no other", () => {
  const namespaceOf = (key: string) => sysctlNamespace(sysctlComponents(key));
  for (const name of "msgmax msgmnb msgmni sem shmall shmmax shmmni shm_rmid_forced".split(" ")) {
    assert.is(namespaceOf(`kernel.${name}`), "ipc");
  }
  assert.is(namespaceOf("fs.mqueue.msg_max"), "ipc");
  assert.is(namespaceOf("fs/mqueue/msg_max"), "ipc");
  assert.is(namespaceOf("net.ipv4.ip_forward"), "network");
  assert.is(namespaceOf("user.max_user_namespaces"), "user");
  assert.is(namespaceOf("kernel.domainname"), "uts");
  for (const key of ["net", "kernel.core_pattern", "kernel.sem.x", "fs.mqueue", "vm.swappiness"]) {
    assert.is(namespaceOf(key), undefined, key);
  }
});

test.run();
