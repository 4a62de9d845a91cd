/**
 * How many jobs a process (or one of its worker groups) runs at once, over all its plugins. Freed slots are offered to the plugins
 * in turn, so that one with a long queue does not keep them from the others.
 */
export interface Slots {
  readonly total: number
  readonly free: number
  take(count: number): void
  give(count: number): void
  onFree(listener: () => void): () => void
}

export function createSlots(total: number): Slots {
  let free = total
  let turn = 0
  const listeners: (() => void)[] = []
  return {
    total,
    get free() {
      return free
    },
    take(count) {
      free -= count
    },
    give(count) {
      const wasFull = free <= 0
      free += count
      // While slots are free nobody waits for one.
      if (!wasFull || count === 0) return
      turn++
      for (let index = 0; index < listeners.length && free > 0; index++) listeners[(turn + index) % listeners.length]?.()
    },
    onFree(listener) {
      listeners.push(listener)
      return () => {
        const at = listeners.indexOf(listener)
        if (at >= 0) listeners.splice(at, 1)
      }
    },
  }
}
