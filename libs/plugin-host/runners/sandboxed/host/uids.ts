/** Each process of XCore uses up to this many users for its sandboxes. */
const PER_PROCESS = 256
/** Above what systems and containers hand out by habit. */
const FIRST = 0x4000_0000

/**
 * The user of a sandbox: its own on this machine, because process ids are unique there. In a container whose users are few
 * (`uidMap` as in /proc/self/uid_map) it is one of the upper half of those. Pure.
 */
export function sandboxUid(pid: number, slot: number, uidMap: string): number {
  const own = pid * PER_PROCESS + (slot % PER_PROCESS)
  const size = mappedUsers(uidMap)
  if (FIRST + own < size) return FIRST + own
  const half = Math.floor(size / 2)
  return half + (own % Math.max(1, size - half - 2))
}

/** How many users, from 0 on, exist here. */
function mappedUsers(uidMap: string): number {
  const [inside = '0', , length = '65536'] = uidMap.trim().split('\n')[0]?.trim().split(/\s+/) ?? []
  return inside === '0' ? Number(length) : 65_536
}
