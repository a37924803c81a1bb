// Constants of rtnetlink(7): messages about network devices and their addresses.

export const AF_NETLINK = 16;
export const NETLINK_ROUTE = 0;

/** Kinds of messages; those of answers are the first two. */
export const netlinkTypes = {
  NLMSG_ERROR: 2,
  NLMSG_DONE: 3,
  RTM_NEWLINK: 16,
  RTM_GETLINK: 18,
  RTM_NEWADDR: 20,
  RTM_GETADDR: 22,
} as const;

export const netlinkFlags = {
  NLM_F_REQUEST: 0x1,
  NLM_F_ACK: 0x4,
  /** All there are: NLM_F_ROOT and NLM_F_MATCH. */
  NLM_F_DUMP: 0x300,
  NLM_F_REPLACE: 0x100,
  NLM_F_CREATE: 0x400,
} as const;

/** Attributes of a link. */
export const linkAttributes = { IFLA_IFNAME: 3, IFLA_NET_NS_FD: 28 } as const;

/** Attributes of an address. */
export const addressAttributes = {
  IFA_ADDRESS: 1,
  IFA_LOCAL: 2,
  IFA_BROADCAST: 4,
  IFA_FLAGS: 8,
} as const;
/** Given by somebody, and not by a router for a while. */
export const IFA_F_PERMANENT = 0x80;
/** The scope of addresses that are good everywhere. */
export const RT_SCOPE_UNIVERSE = 0;
