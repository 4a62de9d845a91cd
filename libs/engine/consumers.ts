import { jobId } from '../event-log/index.ts'
import { compileGlob } from '../event-log/glob.ts'
import type { Notifications } from '../postgres/notifications.ts'
import type { RetryEntry } from '../queue/index.ts'
import { createConsumer } from './consumer.ts'
import type { Consumer, ConsumerOptions } from './consumer.ts'
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

export interface ConsumersOptions extends Omit<ConsumerOptions, 'plugin' | 'slots'> {
  readonly notifications: Notifications
  readonly groups: readonly WorkerGroup[]
  /** Default 5. Must be well below the queue's own heartbeat limit. */
  readonly heartbeatSeconds?: number
}

/** The part of a process that runs jobs. */
export interface Consumers {
  /** Starts a consumer for each ready plugin of the groups. */
  start(): Promise<void>
  /** Claims no more, waits for what runs, and after `deadlineMs` hands back what still runs; outcomes are recorded. */
  stop(deadlineMs: number): Promise<void>
  /** How many jobs run or wait to be recorded. */
  busy(): number
  /** The plugins that are served here. */
  plugins(): readonly string[]
}

export function createConsumers(options: ConsumersOptions): Consumers {
  const { queue, logger, notifications } = options
  const consumers: Consumer[] = []
  const unlisten: (() => void)[] = []
  let beat: NodeJS.Timeout | undefined
  let beating: Promise<void> = Promise.resolve()

  const held = () => consumers.flatMap((consumer) => consumer.held())

  async function heartbeat(): Promise<void> {
    const claims = held().map((run) => run.claim)
    if (claims.length === 0) return
    try {
      await queue.heartbeat(claims)
    } catch (err) {
      logger.warn({ err, jobs: claims.length }, 'the heartbeat failed; without one the jobs will run elsewhere as well')
    }
  }

  return {
    async start() {
      unlisten.push(
        notifications.listen('xcore_cancelled', (payload) => {
          for (const id of payload.split(' ')) consumers.some((consumer) => consumer.abort(jobId(id), 'cancelled'))
        }),
      )
      for (const group of options.groups) {
        const matchers = group.plugins.map(compileGlob)
        const slots = createSlots(group.concurrency)
        for (const plugin of options.plugins.runnable()) {
          if (!matchers.some((matches) => matches(plugin.name)) || consumers.some((consumer) => consumer.plugin === plugin.name)) continue
          consumers.push(createConsumer({ ...options, plugin: plugin.name, slots }))
        }
      }
      await queue.declare(options.plugins.runnable().map((plugin) => plugin.name))
      for (const consumer of consumers) consumer.start()
      beat = setInterval(() => (beating = heartbeat()), (options.heartbeatSeconds ?? 5) * 1000)
    },

    async stop(deadlineMs) {
      for (const off of unlisten.splice(0)) off()
      for (const consumer of consumers) consumer.pause()
      const drained = Promise.all(consumers.map((consumer) => consumer.drained()))
      await within(deadlineMs, drained)
      const left = held()
      for (const run of left) run.abort('shutdown')
      const ends = await Promise.all(left.map(async (run) => ({ run, how: await run.ended })))
      const handBack = ends
        .filter(({ how }) => how === 'hand back')
        .map(({ run }): RetryEntry => ({ claim: run.claim, priority: run.job.priority, runAt: new Date() }))
      if (handBack.length > 0) {
        logger.info({ jobs: handBack.length }, 'jobs that still ran are handed back; no attempt is spent')
        await queue.release(handBack).catch((err: unknown) => logger.warn({ err }, 'jobs could not be handed back; they are found as lost'))
      }
      // What is over may still wait to be recorded; the settler gives up by itself only when it is stopped.
      await within(Math.max(1000, deadlineMs / 2), Promise.all(ends.filter(({ how }) => how === 'settling').map(({ run }) => run.over)))
      options.settler.stop()
      clearInterval(beat)
      await beating
    },

    busy: () => held().length,
    plugins: () => consumers.map((consumer) => consumer.plugin),
  }
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([work.then(() => undefined), promise])
  clearTimeout(timer)
}
