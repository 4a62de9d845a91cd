import type { Plugin, Queue } from './answers.ts'

/** A plugin and its queue. One of them may be missing: a plugin that is gone leaves a queue, one that failed may have none. */
export interface BoardRow {
  readonly name: string
  readonly plugin: Plugin | null
  readonly queue: Queue | null
  /** What is wrong, the worst first. */
  readonly troubles: readonly string[]
}

/** A job that is due for longer than this waits for too long. */
export const TOO_OLD_SECONDS = 60

/** Rows with trouble first, then those with most to do. */
export function boardOf(plugins: readonly Plugin[], queues: readonly Queue[]): readonly BoardRow[] {
  const names = new Set([...plugins.map(({ name }) => name), ...queues.map(({ plugin }) => plugin)])
  const rows = [...names].map((name): BoardRow => {
    const plugin = plugins.find((each) => each.name === name) ?? null
    const queue = queues.find((each) => each.plugin === name) ?? null
    return { name, plugin, queue, troubles: troublesOf(plugin, queue) }
  })
  return rows.sort((a, b) => b.troubles.length - a.troubles.length || busyness(b.queue) - busyness(a.queue) || (a.name < b.name ? -1 : 1))
}

function troublesOf(plugin: Plugin | null, queue: Queue | null): readonly string[] {
  const waits = queue !== null && queue.waiting > 0
  return [
    ...(plugin === null && waits ? ['not loaded here'] : []),
    ...(plugin !== null && plugin.state !== 'ready' ? [plugin.state] : []),
    ...(plugin?.sandbox?.circuitOpen === true || plugin?.sandbox?.state === 'suspended' ? ['suspended'] : []),
    ...(plugin?.paused === true ? ['paused'] : []),
    ...((queue?.oldestSeconds ?? 0) > TOO_OLD_SECONDS ? ['waits too long'] : []),
  ]
}

function busyness(queue: Queue | null): number {
  return queue === null ? -1 : queue.waiting + queue.running + queue.delayed
}

export interface Totals {
  readonly waiting: number
  readonly running: number
  readonly delayed: number
  readonly oldestSeconds: number | null
}

export function totalsOf(queues: readonly Queue[]): Totals {
  const sum = (of: (queue: Queue) => number): number => queues.reduce((total, queue) => total + of(queue), 0)
  const ages = queues.flatMap(({ oldestSeconds }) => (oldestSeconds === null ? [] : [oldestSeconds]))
  return {
    waiting: sum((queue) => queue.waiting),
    running: sum((queue) => queue.running),
    delayed: sum((queue) => queue.delayed),
    oldestSeconds: ages.length === 0 ? null : Math.max(...ages),
  }
}
