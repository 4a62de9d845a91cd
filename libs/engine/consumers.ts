import { jobId } from '../event-log/index.ts'
import type { PluginName } from '../event-log/index.ts'
import { compileGlob } from '../event-log/glob.ts'
import type { Notifications } from '../postgres/notifications.ts'
import { createConsumer } from './consumer.ts'
import type { Consumer, ConsumerOptions } from './consumer.ts'
import { handBack } from './hand-back.ts'
import type { PluginChanges } from './plugin-changes.ts'
import { createOutstandingCalls } from './seats.ts'
import { createSlots } from './slots.ts'

/** Which plugins this process runs, and how many of their jobs at once. */
export interface WorkerGroup {
  readonly name: string
  /** Globs. */
  readonly plugins: readonly string[]
  /** Over all plugins of the group; each plugin's own `concurrency` holds besides. */
  readonly concurrency: number
}

/** Every plugin, each bounded by its own concurrency only. */
export const EVERYTHING: WorkerGroup = { name: 'default', plugins: ['*'], concurrency: 100_000 }

export interface ConsumersOptions extends Omit<ConsumerOptions, 'plugin' | 'slots' | 'calls'> {
  readonly notifications: Notifications
  readonly groups: readonly WorkerGroup[]
  /** Plugins that come and go. Default: those that are ready at `start` stay. */
  readonly changes?: PluginChanges
  /** Default 5. Must be well below the queue's own heartbeat limit. */
  readonly heartbeatSeconds?: number
  /** How long jobs of a plugin that goes may still run before they are handed back. Default 20. */
  readonly unloadSeconds?: number
}

/** The part of a process that runs jobs. */
export interface Consumers {
  /** Starts a consumer for each ready plugin of the groups, and from then on for those that become ready. */
  start(): Promise<void>
  /** Claims no more, waits for what runs, and after `deadlineMs` hands back what still runs; outcomes are recorded. */
  stop(deadlineMs: number): Promise<void>
  /** How many jobs run or wait to be recorded. */
  busy(): number
  /** The plugins that are served here. */
  plugins(): readonly string[]
}

export function createConsumers(options: ConsumersOptions): Consumers {
  const { queue, logger, notifications, changes } = options
  const groups = options.groups.map((group) => ({ matchers: group.plugins.map(compileGlob), slots: createSlots(group.concurrency) }))
  const calls = createOutstandingCalls()
  const consumers = new Map<string, Consumer>()
  /** Of plugins that go: they claim no more, and what they hold runs on for a while. */
  const ending = new Set<Consumer>()
  const unlisten: (() => void)[] = []
  let stopping = false
  let beat: NodeJS.Timeout | undefined
  let beating: Promise<void> = Promise.resolve()
  const heartbeatMs = (options.heartbeatSeconds ?? 5) * 1000

  const all = () => [...consumers.values(), ...ending]
  const held = () => all().flatMap((consumer) => consumer.held())

  // A claim counts as the first beat, and what is being settled leaves the queue in a moment: beating for those would cost a write each
  // and meet the settling transaction on the same rows in another order (deadlocks were seen).
  async function heartbeat(): Promise<void> {
    const old = options.clock.now() - heartbeatMs
    const claims = held()
      .filter((run) => (run.settlingSince ?? run.startedAt) <= old)
      .map((run) => run.claim)
    if (claims.length === 0) return
    try {
      await queue.heartbeat(claims)
    } catch (err) {
      logger.warn({ err, jobs: claims.length }, 'the heartbeat failed; without one the jobs will run elsewhere as well')
    }
  }

  /** A consumer for the plugin, in the first group that takes it; undefined: none does. */
  function consumerFor(plugin: PluginName): Consumer | undefined {
    const known = consumers.get(plugin)
    if (known !== undefined) return known
    const group = groups.find(({ matchers }) => matchers.some((matches) => matches(plugin)))
    if (group === undefined) return undefined
    const made = createConsumer({ ...options, plugin, slots: group.slots, calls })
    consumers.set(plugin, made)
    return made
  }

  function run(consumer: Consumer): void {
    if (changes?.isPaused(consumer.plugin) === true) consumer.pause()
    else consumer.start()
  }

  /** Resolves, for a plugin that goes, when nothing of it runs here any more. */
  async function follow(name: string): Promise<void> {
    const plugin = options.plugins.find(name)
    if (plugin !== undefined) {
      await queue.declare([plugin.name])
      const consumer = stopping ? undefined : consumerFor(plugin.name)
      if (consumer !== undefined) run(consumer)
      return
    }
    const consumer = consumers.get(name)
    if (consumer === undefined) return
    consumers.delete(name)
    ending.add(consumer)
    await handBack([consumer], (options.unloadSeconds ?? 20) * 1000, queue, logger)
    ending.delete(consumer)
  }

  return {
    async start() {
      unlisten.push(
        notifications.listen('xcore_cancelled', (payload) => {
          for (const id of payload.split(' ')) all().some((consumer) => consumer.abort(jobId(id), 'cancelled'))
        }),
      )
      if (changes !== undefined) unlisten.push(changes.onChange(follow))
      const names = options.plugins.runnable().map((plugin) => plugin.name)
      await queue.declare(names)
      for (const name of names) {
        const consumer = consumerFor(name)
        if (consumer !== undefined) run(consumer)
      }
      beat = setInterval(() => (beating = heartbeat()), heartbeatMs)
    },

    async stop(deadlineMs) {
      stopping = true
      for (const off of unlisten.splice(0)) off()
      await handBack(all(), deadlineMs, queue, logger)
      options.settler.stop()
      clearInterval(beat)
      await beating
    },

    busy: () => held().length,
    plugins: () => [...consumers.keys()],
  }
}
