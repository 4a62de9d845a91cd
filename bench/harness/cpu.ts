import { readFileSync, readdirSync } from 'node:fs'

/** USER_HZ, the unit of /proc/PID/stat: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

interface ProcStat {
  readonly parent: number
  readonly own: number
  readonly reapedChildren: number
}

/** User and system CPU seconds of one process, all threads. 0 once it has gone. */
export function processCpuSeconds(pid: number): number {
  return (readStat(pid)?.own ?? 0) / TICKS_PER_SECOND
}

/**
 * CPU seconds of a server with all its processes: those that run, and those that ended and were reaped by it
 * (Postgres has a process for each connection, so both matter).
 */
export function treeCpuSeconds(root: number): number {
  const stats = new Map<number, ProcStat>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    const stat = readStat(pid)
    if (stat) stats.set(pid, stat)
  }
  return ticksBelow(root, stats) / TICKS_PER_SECOND
}

/** Resident memory in bytes. 0 once the process has gone. */
export function residentBytes(pid: number): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Number(kilobytes ?? 0) * 1024
  } catch {
    return 0
  }
}

function ticksBelow(pid: number, stats: ReadonlyMap<number, ProcStat>): number {
  const stat = stats.get(pid)
  if (!stat) return 0
  let total = stat.own + stat.reapedChildren
  for (const [child, { parent }] of stats) if (parent === pid) total += ticksBelow(child, stats)
  return total
}

function readStat(pid: number): ProcStat | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined // it ended between the listing and the read
  }
  // The command may hold spaces and brackets; the fields follow its last bracket. proc(5): ppid 4, utime 14, stime 15, cutime 16, cstime 17.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3] ?? 0)
  return { parent: field(4), own: field(14) + field(15), reapedChildren: field(16) + field(17) }
}
