import type { Ids } from '../event-log/index.ts'
import type { RequestRow } from '../event-log/record-requests.ts'
import { isTerminal, randomIds } from '../event-log/index.ts'
import type { Notifications } from '../postgres/notifications.ts'
import type { Database } from '../postgres/sql.ts'
import type { Queue } from '../queue/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { XCoreError } from '../errors/index.ts'
import { createAcceptance } from './acceptance.ts'
import type { Acceptance } from './acceptance.ts'
import { createCancel } from './cancel.ts'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { createConsumers } from './consumers.ts'
import type { Consumers, WorkerGroup } from './consumers.ts'
import { createKernelEvents } from './kernel-events.ts'
import type { KernelEvents } from './kernel-events.ts'
import { createJobsReader } from './jobs-reader.ts'
import type { PluginChanges } from './plugin-changes.ts'
import type { PluginDirectory } from './plugin-port.ts'
import type { Engine, SubscriptionRegistry } from './port.ts'
import type { Stager } from './plugin-transaction.ts'
import { createRateTokens } from './rate-tokens/rate-tokens.ts'
import type { RateTokens } from './rate-tokens/rate-tokens.ts'
import type { Replays } from './replay/port.ts'
import { createReplays } from './replay/replays.ts'
import { createSettler } from './settle.ts'
import { createSubmitter } from './submit.ts'
import { createSubscribers, createSubscriptionRegistry } from './subscriptions.ts'
import { createTransactional } from './transactional.ts'
import { createWaiters } from './waiters.ts'
import type { WorkerRegistry } from './worker-registry.ts'

export interface EngineOptions {
  readonly database: Database
  readonly queue: Queue
  readonly notifications: Notifications
  readonly plugins: PluginDirectory
  /** Plugins that come and go while the process runs. Default: those that are ready when consumers start stay. */
  readonly changes?: PluginChanges
  readonly metrics: Metrics
  readonly logger: Logger
  /** Names this process in the log: `host/pid`. */
  readonly worker: string
  /** Which worker runs which version of a plugin. Default: all run the same. */
  readonly workers?: WorkerRegistry
  readonly clock?: Clock
  readonly ids?: Ids
  /** In [0, 1), for the jitter of retries. */
  readonly random?: () => number
}

export interface ConsumerSettings {
  readonly groups: readonly WorkerGroup[]
  readonly heartbeatSeconds?: number
  readonly unloadSeconds?: number
}

/** The engine of one process, with what the composition wires to other parts. */
export interface RunningEngine extends Engine {
  /** For the `db` service: what plugins emit and enqueue in transactions of theirs. */
  readonly transactions: Stager
  readonly subscriptions: SubscriptionRegistry
  readonly tell: KernelEvents['tell']
  readonly rateTokens: RateTokens
  readonly replays: Replays
  /** Makes the part that runs jobs; `start` and `stop` it yourself, before `close`. */
  consumers(settings: ConsumerSettings): Consumers
  /** Waits for what is being written, then lets go of everyone who waits. The database, queue and notifications stay open. */
  close(): Promise<void>
}

/** Wires the use cases to their ports. Opens nothing by itself. */
export function createEngine(options: EngineOptions): RunningEngine {
  const { database, queue, notifications, plugins, metrics, logger, worker } = options
  const clock = options.clock ?? systemClock
  const ids = options.ids ?? randomIds
  const rateTokens = createRateTokens(database)
  const reader = createJobsReader(database, queue, clock)
  const waiters = createWaiters({ database, notifications, logger })
  const onCommit = (rows: number, seconds: number) => {
    metrics.eventsAppendedTotal.inc({ result: 'ok' }, rows)
    metrics.eventAppendSeconds.observe({}, seconds)
  }
  const onAccepted = (requests: readonly RequestRow[], rows: number, seconds: number) => {
    onCommit(rows, seconds)
    for (const { plugin, data } of requests) metrics.jobsSubmittedTotal.inc({ plugin, kind: data.kind, source: data.source })
  }
  const acceptance = createAcceptance({
    database,
    queue,
    ids,
    subscribers: createSubscribers(),
    onCommit: (requests, events, seconds) => onAccepted(requests, requests.length + events, seconds),
  })
  // A cache of its own: the other one is only read by transactions, whose numbers tell it what is new.
  const transactional = createTransactional({ database, queue, ids, subscribers: createSubscribers(), onCommit: onAccepted })
  const settler = createSettler({
    database,
    queue,
    logger,
    onCommit,
    transactional,
    onSettled(ends) {
      waiters.settled(ends.filter((end) => end.terminal && waiters.wants(end.before)).map((end) => end.job))
      kernel.settled(ends.filter((end) => end.state === 'dead').map((end) => end.job))
    },
  })
  const counted: Acceptance = {
    ...acceptance,
    accept: (item) =>
      acceptance.accept(item).catch((error: unknown) => {
        // What the caller did wrong is no failure of the log.
        if (!(error instanceof XCoreError) || error.code === 'database_unavailable') metrics.eventsAppendedTotal.inc({ result: 'error' })
        throw error
      }),
  }
  const { submit, emit, stageSubmit, stageEmit } = createSubmitter({ acceptance: counted, transactional, plugins, metrics, clock, ids })
  const kernel = createKernelEvents({ database, subscribers: createSubscribers(), emit, logger })
  const registry = createSubscriptionRegistry(database)

  return {
    submit,
    emit,
    cancel: createCancel({ database, queue, notifications, waiters, metrics, logger, clock }),
    get: reader.get,
    list: reader.list,
    history: reader.history,
    rateTokens,
    tell: (event) => kernel.tell(event),
    transactions: { stageEmit, stageSubmit, commit: async (transaction) => void (await transactional.commit(transaction)) },
    replays: createReplays({ database, queue, notifications, plugins, metrics, logger, clock, ids, reader }),

    async wait(id, timeoutMs, signal) {
      // Listening starts before the look, so an outcome that falls between the two is not missed.
      const stop = new AbortController()
      const settled = waiters.wait(id, timeoutMs, signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]))
      const now = await reader.get(id).catch((error: unknown) => {
        stop.abort()
        throw error
      })
      if (now === undefined || isTerminal(now.state)) {
        stop.abort()
        return now
      }
      return (await settled) ?? reader.get(id)
    },

    subscriptions: {
      ...registry,
      // A delivery needs the plugin's queue, also when no worker has started yet.
      async replace(plugin, version, subscriptions) {
        await queue.declare([plugin])
        await registry.replace(plugin, version, subscriptions)
      },
    },

    consumers: (settings) =>
      createConsumers({
        ...settings,
        database,
        queue,
        notifications,
        plugins,
        ...(options.changes === undefined ? {} : { changes: options.changes }),
        metrics,
        logger,
        clock,
        worker,
        settler,
        rateTokens,
        random: options.random ?? Math.random,
        ...(options.workers === undefined ? {} : { workers: options.workers }),
      }),

    async close() {
      await kernel.drained()
      await acceptance.drained()
      settler.stop()
      await settler.drained()
      await waiters.stop()
    },
  }
}
