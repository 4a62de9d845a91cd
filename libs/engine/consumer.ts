import { isTerminal } from '../event-log/index.ts'
import type { JobId, PluginName, StoredJob } from '../event-log/index.ts'
import { findJobs } from '../event-log/jobs-table.ts'
import { recordInterruptions } from '../event-log/record-interruptions.ts'
import type { Database } from '../postgres/sql.ts'
import type { Claim, Queue } from '../queue/index.ts'
import { runJob } from './job-run.ts'
import type { JobRun, JobRunContext, JobRunEnd } from './job-run.ts'
import { sparing } from '../telemetry/sparing.ts'
import { lostRow } from './outcome.ts'
import { pause } from './pause.ts'
import type { PluginDirectory, RunnablePlugin } from './plugin-port.ts'
import type { RateTokens } from './rate-tokens/rate-tokens.ts'
import { release } from './release.ts'
import { createSeats } from './seats.ts'
import type { OutstandingCalls } from './seats.ts'
import type { Slots } from './slots.ts'
import type { WorkerRegistry } from './worker-registry.ts'

export interface ConsumerOptions extends JobRunContext {
  readonly plugin: PluginName
  readonly plugins: PluginDirectory
  readonly queue: Queue
  readonly database: Database
  readonly rateTokens: RateTokens
  readonly slots: Slots
  readonly calls: OutstandingCalls
  /** Tells whether another worker runs a version that has an action which the one here has not. Default: never. */
  readonly workers?: Pick<WorkerRegistry, 'isElsewhere'>
}

/**
 * Runs the jobs of one plugin in this process. It claims when slots are free and jobs may be waiting: never more than the free
 * slots and the rate tokens. What becomes free while a claim is under way makes the next one larger.
 */
export interface Consumer {
  readonly plugin: PluginName
  /** Claims, or claims again after a pause. */
  start(): void
  /** No more claims; what runs goes on. */
  pause(): void
  /** What this process holds: runs, and outcomes not recorded yet. */
  held(): readonly JobRun[]
  /** Ends a running attempt; false: it does not run here. */
  abort(id: JobId, reason: 'cancelled'): boolean
  /** Resolves when nothing is being claimed, runs or waits to be recorded. */
  drained(): Promise<void>
}

/** One claim's size; larger ones only make the first job of a batch wait for the last. */
const LARGEST_CLAIM = 500
/** Outcomes that may wait to be recorded beyond the slots: bounds memory while Postgres is slower than the handlers. */
const UNSETTLED_ALLOWANCE = 2_000
/** A second claim overlaps the first while the queue gives all that is asked for and half a batch fits. */
const CLAIM_LANES = 2
const PAUSE_AFTER_ERROR_MS = 1_000
/** For how long claimed jobs are tried to be read: less than the queue waits for a heartbeat. */
const READ_PATIENCE_MS = 10_000
const READ_PAUSE_MS = 500
/** For how long this worker claims nothing after it handed a job over, so that one that can run it does. */
const HAND_OVER_MS = 200

export function createConsumer(options: ConsumerOptions): Consumer {
  const { plugin: name, queue, slots, metrics, logger } = options
  const warn = sparing(logger)
  let concurrency = 1
  const seats = createSeats({ plugin: name, slots, calls: options.calls, concurrency: () => concurrency, onRoom: pump })
  const held = new Map<JobId, JobRun>()
  let paused = true
  /** Aborts with the pause. */
  let halted = new AbortController()
  /** Claims under way. */
  let claiming = 0
  /** The last claim brought all it asked for: there is more. */
  let plenty = false
  /** Set by a hint that jobs may be waiting, cleared by a claim that found fewer than it asked for. */
  let hopeful = true
  let timer: NodeJS.Timeout | undefined
  /** No claim before this, by `performance.now()`. */
  let holdOff = 0
  const idle: (() => void)[] = []
  const unlisten: (() => void)[] = []
  /** Kept while jobs are held, also when no more are claimed: one that has waited needs a slot to go on. */
  const attached: (() => void)[] = []

  function wake(): void {
    hopeful = true
    pump()
  }

  function pump(): void {
    seats.resume()
    const another = claiming > 0
    if (paused || claiming >= CLAIM_LANES || !(another ? plenty : hopeful)) return
    if (performance.now() < holdOff) return later(holdOff - performance.now())
    const plugin = options.plugins.find(name)
    if (plugin === undefined) return
    concurrency = plugin.limits.concurrency
    const total = plugin.limits.totalConcurrency ?? LARGEST_CLAIM
    const room = Math.min(seats.room(), total, LARGEST_CLAIM, UNSETTLED_ALLOWANCE + plugin.limits.concurrency - held.size)
    if (room <= 0 || (another && room < LARGEST_CLAIM / 2)) return
    claiming++
    seats.reserve(room)
    void claim(plugin, room)
    pump()
  }

  async function claim(plugin: RunnablePlugin, room: number): Promise<void> {
    let unused = room
    // Before anything is awaited: a hint that comes while the claim is under way must survive it.
    hopeful = false
    try {
      const granted = await lease(plugin, room)
      if (granted === 0) return
      const claims = await queue.claim(name, granted, plugin.limits.totalConcurrency ?? undefined)
      plenty = claims.length === granted
      if (plenty) hopeful = true
      if (claims.length < granted) await giveBack(plugin, granted - claims.length)
      const ready = await keepOwn(await prepare(claims))
      // Paused while the claim was under way: what it brought goes back as if it had not been claimed.
      if (paused) return await handBack(ready)
      for (const { claim, job } of ready) {
        start(plugin, claim, job)
        unused--
      }
    } catch (err) {
      warn({ err, plugin: name }, 'claiming jobs failed; it is tried again')
      later(PAUSE_AFTER_ERROR_MS)
    } finally {
      claiming--
      seats.release(unused)
      pump()
      settleIdle()
    }
  }

  async function handBack(ready: readonly { claim: Claim; job: StoredJob }[]): Promise<void> {
    const runAt = new Date(options.clock.now())
    await release(
      queue,
      ready.map(({ claim, job }) => ({ claim, priority: job.priority, runAt })),
      logger,
    )
  }

  /** How many jobs the rate limit admits now; when none, the consumer wakes once it admits one. */
  async function lease(plugin: RunnablePlugin, room: number): Promise<number> {
    const limit = plugin.limits.rateLimit
    if (limit === null) return room
    const { granted, retryAfterSeconds } = await options.rateTokens.take(name, limit, Math.min(room, limit.calls))
    if (granted === 0) {
      metrics.rateLimitedTotal.inc({ plugin: name })
      later(retryAfterSeconds * 1000)
    }
    return granted
  }

  async function giveBack(plugin: RunnablePlugin, unused: number): Promise<void> {
    if (plugin.limits.rateLimit !== null) await options.rateTokens.giveBack(name, plugin.limits.rateLimit, unused)
  }

  function later(ms: number): void {
    clearTimeout(timer)
    // A claim that was under way when it was paused: the timer, of up to the limit's period, would keep the process alive.
    if (paused) return
    timer = setTimeout(wake, Math.max(1, Math.ceil(ms)))
  }

  /** Reads what was claimed; takes off the queue what is finished already, and records attempts whose worker was lost. */
  async function prepare(claims: readonly Claim[]): Promise<{ claim: Claim; job: StoredJob }[]> {
    if (claims.length === 0) return []
    const jobs = new Map((await readJobs(claims)).map((job) => [job.id, job]))
    const ready: { claim: Claim; job: StoredJob }[] = []
    const strays: Claim[] = []
    const lost: Promise<void>[] = []
    for (const claim of claims) {
      // This process runs it still, and was only taken for lost: the run goes on under the new claim.
      if (held.has(claim.jobId)) continue
      const job = jobs.get(claim.jobId)
      if (job === undefined || isTerminal(job.state)) strays.push(claim)
      else if (!claim.lost) ready.push({ claim, job })
      else lost.push(recordLost(claim, job).then((next) => void (next !== undefined && ready.push({ claim, job: next }))))
    }
    if (strays.length > 0) {
      await options.database.transaction((tx) => queue.acknowledge(tx, strays))
      await queue.settled(strays, [])
    }
    await Promise.all(lost)
    return ready
  }

  /** They are held already and would count as lost, an attempt each, so a database that is away for a moment is waited for. */
  async function readJobs(claims: readonly Claim[]): Promise<StoredJob[]> {
    const ids = claims.map((claim) => claim.jobId)
    const giveUpAt = performance.now() + READ_PATIENCE_MS
    for (;;) {
      try {
        return await findJobs(options.database, ids)
      } catch (err) {
        if (performance.now() >= giveUpAt || paused) throw err
        warn({ err, plugin: name, jobs: ids.length }, 'claimed jobs could not be read; it is tried again')
        await pause(READ_PAUSE_MS, halted.signal)
      }
    }
  }

  /** While versions of a plugin run side by side, a job goes to a worker that has its action. */
  async function keepOwn(ready: { claim: Claim; job: StoredJob }[]): Promise<{ claim: Claim; job: StoredJob }[]> {
    const { workers } = options
    if (workers === undefined) return ready
    const actions = [...new Set(ready.filter(({ job }) => job.kind === 'action').map(({ job }) => job.name))]
    const elsewhere = await Promise.all(actions.map((action) => workers.isElsewhere(name, action)))
    const foreign = new Set(actions.filter((_, index) => elsewhere[index]))
    if (foreign.size === 0) return ready
    holdOff = performance.now() + HAND_OVER_MS
    const isForeign = ({ job }: { job: StoredJob }) => job.kind === 'action' && foreign.has(job.name)
    await handBack(ready.filter(isForeign))
    return ready.filter((each) => !isForeign(each))
  }

  async function recordLost(claim: Claim, job: StoredJob): Promise<StoredJob | undefined> {
    metrics.jobsStalledTotal.inc({ plugin: name })
    const row = lostRow(job, options.worker, options.clock.now())
    logger.warn(
      { plugin: name, job: job.id, attempt: row.attempt, correlation_id: job.correlationId },
      'the worker that ran this attempt was lost',
    )
    const settled = await options.settler.settle({ job, claim, row, keepClaim: true })
    if (settled.fenced) return undefined
    if (settled.job.state !== 'dead') return settled.job
    metrics.jobsFinishedTotal.inc({ plugin: name, kind: job.kind, name: job.name, outcome: 'dead' })
    return undefined
  }

  function start(plugin: RunnablePlugin, claim: Claim, job: StoredJob): void {
    const seat = seats.sit()
    const run = runJob(options, plugin, claim, job, (on, work) => seats.whileWaiting(seat, on, work))
    held.set(job.id, run)
    void run.ended.then((how) => {
      seats.leave(seat)
      // What must be handed back stays held until it was.
      if (typeof how === 'object') void putBack(run, how)
      else if (how !== 'hand back') void run.over.then(() => drop(run))
      pump()
    })
  }

  async function putBack(run: JobRun, { interrupted, note }: Extract<JobRunEnd, object>): Promise<void> {
    // First the log: once it is handed back, the next attempt may write there.
    if (note !== undefined)
      await recordInterruptions(options.database, [note]).catch((err: unknown) =>
        logger.warn({ err, plugin: name, job: run.job.id }, 'an interrupted attempt could not be kept in the log'),
      )
    await release(queue, [{ claim: run.claim, priority: run.job.priority, runAt: interrupted }], logger)
    drop(run)
  }

  function drop(run: JobRun): void {
    if (held.get(run.job.id) === run) held.delete(run.job.id)
    pump()
    settleIdle()
  }

  function gauge(): void {
    const limits = options.plugins.find(name)?.limits
    metrics.workerSlots.set({ plugin: name }, Math.min(limits?.concurrency ?? 0, limits?.totalConcurrency ?? Infinity))
    metrics.workerSlotsBusy.set({ plugin: name }, seats.taken)
  }

  function settleIdle(): void {
    if (claiming > 0 || held.size > 0) return
    for (const resolve of idle.splice(0)) resolve()
    if (paused) for (const off of attached.splice(0)) off()
  }

  return {
    plugin: name,
    start() {
      if (!paused) return wake()
      paused = false
      halted = new AbortController()
      // From 0, so that the first one counts as an increase.
      for (const counter of [metrics.jobsStalledTotal, metrics.rateLimitedTotal, metrics.handlersAbandonedTotal])
        counter.inc({ plugin: name }, 0)
      unlisten.push(queue.onReady(name, wake), metrics.onCollect(gauge))
      if (attached.length === 0) attached.push(slots.onFree(pump), options.calls.onBegin(name, pump))
      wake()
    },
    pause() {
      paused = true
      halted.abort()
      clearTimeout(timer)
      for (const off of unlisten.splice(0)) off()
      settleIdle()
    },
    held: () => [...held.values()],
    abort(id, reason) {
      const run = held.get(id)
      run?.abort(reason)
      return run !== undefined
    },
    drained: () => (claiming === 0 && held.size === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve))),
  }
}
