import type { EventItem } from '../../../engine/acceptance.ts'
import { runJob } from '../../../engine/job-run.ts'
import type { JobRunContext } from '../../../engine/job-run.ts'
import type { PluginDirectory } from '../../../engine/plugin-port.ts'
import type { Stager } from '../../../engine/plugin-transaction.ts'
import type { Engine, Subscription, SubscriptionRegistry } from '../../../engine/port.ts'
import type { SettleResult, Settler } from '../../../engine/settle.ts'
import { createSubmitter } from '../../../engine/submit.ts'
import type { KnownSubscription } from '../../../engine/subscriptions.ts'
import { correlationId, isTerminal, jobId, randomIds } from '../../../event-log/index.ts'
import type { JobId, StoredJob } from '../../../event-log/index.ts'
import type { OutcomeRow } from '../../../event-log/record-outcomes.ts'
import { createMemorySchedules } from '../../../services/scheduler/memory/registry.ts'
import type { Schedule } from '../../../services/scheduler/port.ts'
import { createMetrics, type Logger } from '../../../telemetry/index.ts'
import { MemoryAcceptance } from './acceptance.ts'
import type { StandingClock } from './clock.ts'
import { JobLog } from './job-log.ts'

/** Beyond this many steps of one `advance`, something sets itself off for ever. */
const MOST_STEPS = 100_000

/**
 * The engine of one test: the real door (submit.ts), attempts (job-run.ts) and state machine, with memory in the place of Postgres and a
 * clock that stands. Jobs run as soon as they are due; later ones when the clock is moved.
 */
export class LocalEngine implements Pick<Engine, 'submit' | 'emit' | 'wait'> {
  readonly clock: StandingClock
  readonly emitted: EventItem[] = []
  readonly #plugins: PluginDirectory
  readonly #logger: Logger
  readonly #metrics = createMetrics()
  readonly #known = new Map<string, KnownSubscription>()
  readonly #running = new Map<JobId, Promise<void>>()
  readonly #changes = new Set<() => void>()
  readonly #log: JobLog
  readonly #acceptance: MemoryAcceptance
  readonly #door: ReturnType<typeof createSubmitter>
  readonly schedules

  constructor(plugins: PluginDirectory, clock: StandingClock, logger: Logger) {
    this.#plugins = plugins
    this.#logger = logger
    this.clock = clock
    this.schedules = createMemorySchedules(() => clock.now())
    this.#log = new JobLog(() => clock.now())
    this.#acceptance = new MemoryAcceptance({
      subscriptions: this.#known,
      onEvent: (item) => this.emitted.push(item),
      onRequests: (rows) => {
        for (const row of rows) this.#log.request(row)
        this.#startDue()
      },
    })
    this.#door = createSubmitter({
      acceptance: this.#acceptance,
      transactional: this.#acceptance,
      plugins,
      metrics: this.#metrics,
      clock,
      ids: randomIds,
    })
  }

  readonly submit: Engine['submit'] = (request) => this.#door.submit(request)
  readonly emit: Engine['emit'] = (request) => this.#door.emit(request)

  get jobs(): readonly StoredJob[] {
    return this.#log.all()
  }

  get transactions(): Stager {
    return {
      stageEmit: (request, earlier) => this.#door.stageEmit(request, earlier),
      stageSubmit: (request, earlier) => this.#door.stageSubmit(request, earlier),
      commit: async (transaction) => void (await this.#acceptance.commit(transaction)),
    }
  }

  readonly subscriptions: SubscriptionRegistry = {
    replace: async (plugin, version, subscriptions) => {
      for (const [key, known] of this.#known) if (known.plugin === plugin) this.#known.delete(key)
      for (const each of subscriptions) this.#know(each, version)
    },
    add: async (subscription) => this.#know(subscription, ''),
    remove: async (plugin, id) => void this.#known.delete(`${plugin} ${id}`),
    retain: async () => [],
  }

  /** Waits for the job's end; the time that its retries wait for is passed over. */
  async wait(id: JobId, timeoutMs: number, signal?: AbortSignal): Promise<StoredJob | undefined> {
    const limit = AbortSignal.any([AbortSignal.timeout(Math.min(timeoutMs, 2 ** 31 - 1)), ...(signal === undefined ? [] : [signal])])
    for (;;) {
      const job = this.#log.get(id)
      if (job === undefined || isTerminal(job.state) || limit.aborted) return job
      if (job.state === 'retrying' && !this.#running.has(id)) await this.#passTo(job.runAt.getTime())
      else await this.#change(limit)
    }
  }

  /** Fires a schedule now; undefined: there is none of that id. */
  async fire(plugin: string, id: string): Promise<JobId | undefined> {
    const schedule = (await this.schedules.list(plugin)).find((each) => each.id === id)
    return schedule === undefined ? undefined : this.#fire(schedule, this.clock.now())
  }

  /** Moves the clock, stopping wherever something is due. */
  async advance(milliseconds: number): Promise<void> {
    const target = this.clock.now() + milliseconds
    await this.settled()
    for (let step = 0; step < MOST_STEPS; step += 1) {
      const next = await this.#nextDue()
      if (next === undefined || next > target) {
        this.clock.moveTo(target)
        return
      }
      await this.#passTo(next)
      await this.settled()
    }
    throw new Error(`advance: more than ${MOST_STEPS} things became due; advance by less, or look for what sets itself off`)
  }

  /** Resolves when no job runs. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values())
  }

  #know(subscription: Subscription, pluginVersion: string): void {
    this.#known.set(`${subscription.plugin} ${subscription.id}`, { ...subscription, pluginVersion })
  }

  async #passTo(time: number): Promise<void> {
    this.clock.moveTo(time)
    for (const { schedule, scheduledFor } of this.schedules.due()) this.#fire(schedule, scheduledFor.getTime())
    this.#startDue()
  }

  async #nextDue(): Promise<number | undefined> {
    const live = this.#log.all().filter(({ id, state }) => !isTerminal(state) && !this.#running.has(id))
    const firings = (await this.schedules.list()).flatMap(({ paused, nextRun }) => (paused || nextRun === null ? [] : [nextRun.getTime()]))
    const times = [...live.map(({ runAt }) => runAt.getTime()), ...firings]
    return times.length === 0 ? undefined : Math.min(...times)
  }

  #fire(schedule: Schedule, scheduledFor: number): JobId {
    const id = jobId(randomIds.uuid())
    this.#log.request({
      id,
      plugin: schedule.plugin,
      data: {
        kind: 'schedule',
        name: schedule.id,
        payload: { args: [...schedule.args], scheduled_for: new Date(scheduledFor).toISOString() },
        priority: schedule.priority,
        max_attempts: schedule.maxAttempts,
        correlation_id: correlationId(id),
        plugin_version: schedule.pluginVersion,
        source: 'schedule',
        ...(schedule.method === null ? {} : { meta: { schedule: { method: schedule.method } } }),
      },
    })
    this.#startDue()
    return id
  }

  /** Highest priority first, then oldest. */
  #startDue(): void {
    const due = this.#log
      .all()
      .filter((job) => !isTerminal(job.state) && !this.#running.has(job.id) && job.runAt.getTime() <= this.clock.now())
    for (const job of due.sort((a, b) => b.priority - a.priority)) this.#start(job)
  }

  #start(job: StoredJob): void {
    const plugin = this.#plugins.find(job.plugin)
    if (plugin === undefined) return
    const over = Promise.withResolvers<void>()
    // Known to run before it does: what its handler asks for first must not start it again.
    this.#running.set(job.id, over.promise)
    setImmediate(() => {
      const claim = { jobId: job.id, plugin: job.plugin, lost: false }
      void runJob(this.#context, plugin, claim, job).over.then(() => {
        this.#running.delete(job.id)
        for (const changed of [...this.#changes]) changed()
        over.resolve()
      })
    })
  }

  get #context(): JobRunContext {
    const { clock } = this
    return { settler: this.#settler, metrics: this.#metrics, logger: this.#logger, clock, random: Math.random, worker: 'test' }
  }

  readonly #settler: Settler = {
    settle: async ({ row }) => this.#settle(row),
    settleWith: async (transaction, { row }) => {
      await this.#acceptance.commit(transaction)
      return this.#settle(row)
    },
    drained: async () => {},
    stop() {},
  }

  #settle(row: OutcomeRow): SettleResult {
    const before = this.#log.get(row.id)
    const settled = this.#log.settle(row)
    const job = this.#log.get(row.id)
    if (!settled || before === undefined || job === undefined) return { fenced: true }
    return { fenced: false, before, terminal: isTerminal(job.state), state: row.state, job }
  }

  #change(limit: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#changes.delete(done)
        limit.removeEventListener('abort', done)
        resolve()
      }
      this.#changes.add(done)
      limit.addEventListener('abort', done, { once: true })
    })
  }
}
