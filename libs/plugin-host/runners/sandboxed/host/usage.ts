import { readFileSync } from 'node:fs'

/** Linux: memory is counted in pages of 4 KiB (x64, and arm64 as it is usually built), processor time in hundredths of a second. */
const PAGE_BYTES = 4096
const TICKS_PER_SECOND = 100

export interface Usage {
  /** Resident and not shared: heap, buffers, WebAssembly memory, stacks. */
  readonly memoryBytes: number
  readonly cpuSeconds: number
}

/** What a process uses now; undefined: it is gone, or this system has no /proc. */
export function usageOf(pid: number): Usage | undefined {
  try {
    const [, resident = '0', shared = '0'] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The program's name comes in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
    return { memoryBytes: (Number(resident) - Number(shared)) * PAGE_BYTES, cpuSeconds: ticks / TICKS_PER_SECOND }
  } catch {
    return undefined
  }
}
