import { randomUUID } from 'node:crypto'
import type { PluginName } from '../event-log/ids.ts'
import { pluginName } from '../event-log/ids.ts'
import type { Notifications } from '../postgres/notifications.ts'
import type { Logger } from '../telemetry/logger.ts'
import { sparing } from '../telemetry/sparing.ts'

/** Timers at most, and how far ahead; beyond either the poll is soon enough. */
const MOST_TIMERS = 1_000
const LONGEST_TIMER_MS = 60_000
/** Between two notifications. The first of a burst leaves at once; workers that are awake look for more by themselves. */
const SPACING_MS = 5
/** After one that told of so many jobs: who is awake has enough to do, and each notification costs a commit and wakes every process. */
const CROWD = 16
const CROWD_SPACING_MS = 15
/** Jobs that become due within one such span share a timer. */
const SPAN_MS = 20

/**
 * Wakes consumers: those of this process at once, those of others by a notification. It is sent after the commit and from
 * another connection; while one travels, the plugins that come up are gathered into the next.
 */
export interface Wake {
  on(plugin: PluginName, listener: () => void): () => void
  /** The plugins that somebody in this process listens for. */
  watched(): PluginName[]
  /** Here and everywhere. `jobs`: how many became due. */
  announce(plugins: Iterable<PluginName>, jobs?: number): void
  /** Here only. */
  local(plugins: Iterable<PluginName>): void
  /** Here only, in `ms`, so that what this process delayed runs on time; the poll finds all else. */
  at(plugin: PluginName, ms: number): void
  stop(): Promise<void>
}

/** What carries the news: NOTIFY of Postgres, or Redis. */
export type WakeChannel = Pick<Notifications, 'listen' | 'notify' | 'onReconnect'>

export function createWake(notifications: WakeChannel, logger: Logger): Wake {
  const me = randomUUID()
  const warn = sparing(logger)
  const listeners = new Map<PluginName, Set<() => void>>()
  const pending = new Set<PluginName>()
  const timers = new Map<string, NodeJS.Timeout>()
  let pendingJobs = 0
  let sending: Promise<void> | undefined

  const local = (plugins: Iterable<PluginName>) => {
    for (const plugin of plugins) for (const listener of listeners.get(plugin) ?? []) listener()
  }
  const unlisten = notifications.listen('xcore_wake', (payload) => {
    const [sender, ...plugins] = payload.split(' ')
    if (sender !== me) local(plugins.map(pluginName))
  })
  const unreconnect = notifications.onReconnect(() => local(listeners.keys()))

  async function send(): Promise<void> {
    while (pending.size > 0) {
      const batch = [...pending].slice(0, 100)
      for (const plugin of batch) pending.delete(plugin)
      const spacing = pendingJobs >= CROWD ? CROWD_SPACING_MS : SPACING_MS
      pendingJobs = 0
      try {
        await notifications.notify('xcore_wake', [me, ...batch].join(' '))
        await new Promise((resolve) => setTimeout(resolve, spacing))
      } catch (err) {
        // The poll finds the jobs; nothing is lost, they start later.
        warn({ err, plugins: batch }, 'workers in other processes could not be woken; they find the jobs by polling')
      }
    }
    // Here and not in a later turn: what is announced from now on needs a new one.
    sending = undefined
  }

  return {
    local,
    at(plugin, ms) {
      const span = Math.ceil((Date.now() + ms) / SPAN_MS) * SPAN_MS
      const key = `${plugin} ${span}`
      if (ms > LONGEST_TIMER_MS || timers.size >= MOST_TIMERS || timers.has(key)) return
      const timer = setTimeout(() => {
        timers.delete(key)
        local([plugin])
      }, span - Date.now())
      timers.set(key, timer)
    },
    watched: () => [...listeners.keys()],
    announce(plugins, jobs = 1) {
      const named = [...plugins]
      local(named)
      pendingJobs += jobs
      for (const plugin of named) pending.add(plugin)
      if (pending.size > 0) sending ??= send()
    },
    on(plugin, listener) {
      const set = listeners.get(plugin) ?? new Set()
      listeners.set(plugin, set.add(listener))
      return () => {
        set.delete(listener)
        if (set.size === 0) listeners.delete(plugin)
      }
    },
    async stop() {
      unlisten()
      unreconnect()
      for (const timer of timers.values()) clearTimeout(timer)
      timers.clear()
      pending.clear()
      await sending
    },
  }
}
