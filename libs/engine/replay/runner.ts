import { jobId, pluginName } from '../../event-log/index.ts'
import type { ReplayId } from '../../event-log/index.ts'
import { recordCancels } from '../../event-log/record-outcomes.ts'
import { logReplay } from '../../event-log/record-replays.ts'
import type { Notifications } from '../../postgres/notifications.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Clock } from '../clock.ts'
import { createSubscribers } from '../subscriptions.ts'
import { PAGE, carryOut } from './carry-out.ts'
import { allowance, nextTurnMs, paceAfter } from './pacing.ts'
import type { Pace } from './pacing.ts'
import { failsTooOften } from './progress.ts'
import type { JobCounts } from './progress.ts'
import { countReplayed, lockReplay, setState, settleReplay, unfinishedJobs, unsettledReplays } from './replays-table.ts'
import type { StoredReplay } from './replays-table.ts'
import type { ReplayPorts } from './single.ts'

export interface RunnerOptions extends ReplayPorts {
  readonly notifications: Notifications
  readonly logger: Logger
  readonly clock: Clock
}

/** How often somebody looks although nobody said anything. */
const IDLE_MS = 2_000
const AFTER_ERROR_MS = 1_000
/** Between two counts of a replay's outcomes; longer where counting itself takes long. */
const COUNT_MS = 200
const CANCEL_BATCH = 500
const LOWEST_ID = '00000000-0000-0000-0000-000000000000'

/**
 * Carries out bulk replays, a turn each in turn, until `signal` aborts. One process does it for all; whatever it has not committed
 * when it dies is done by the next. States: running → completed | stopped | cancelled, running ⇄ paused; one that ended is looked
 * after until the last of its jobs has finished (settled).
 */
export async function runReplays(options: RunnerOptions, signal: AbortSignal): Promise<void> {
  const { database, notifications, logger, clock } = options
  const subscribers = createSubscribers()
  const paces = new Map<ReplayId, Pace>()
  const nextCount = new Map<ReplayId, number>()
  const bell = createBell(signal)
  const unlisten = notifications.listen('xcore_replays', bell.ring)
  try {
    while (!signal.aborted) await bell.wait(await round())
  } finally {
    unlisten()
  }

  /** Gives each replay a turn; answers in how many milliseconds the next one is due. */
  async function round(): Promise<number> {
    let due = IDLE_MS
    try {
      for (const replay of await unsettledReplays(database)) {
        if (signal.aborted) return 0
        due = Math.min(due, await turn(replay))
      }
    } catch (err) {
      if (!signal.aborted) logger.warn({ err }, 'bulk replays could not be looked after; it is tried again')
      due = AFTER_ERROR_MS
    }
    return due
  }

  async function turn(replay: StoredReplay): Promise<number> {
    try {
      switch (replay.state) {
        case 'running':
          return replay.selectedAt === null ? await advance(replay) : await watch(replay)
        case 'paused':
          return IDLE_MS
        case 'completed':
        case 'cancelled':
        case 'stopped':
          return await sweep(replay)
      }
    } catch (err) {
      logger.warn({ err, replay: replay.id, name: replay.name }, 'a bulk replay could not go on; it is tried again')
      return AFTER_ERROR_MS
    }
  }

  async function advance(replay: StoredReplay): Promise<number> {
    const { id, ratePerSecond } = replay
    const now = clock.now()
    const pace = paces.get(id) ?? now
    const most = allowance(pace, ratePerSecond, now, PAGE)
    const taken = most === 0 ? 0 : await carryOut(options, subscribers, id, most, new Date(now))
    const next = taken === 0 ? pace : paceAfter(pace, ratePerSecond, now, taken)
    paces.set(id, next)
    if (replay.stopAtFailures !== null) await judge(replay)
    return most > 0 && taken < most ? 1 : nextTurnMs(next, ratePerSecond, clock.now())
  }

  /** Everything is on the queue: waits for the outcomes. */
  async function watch(replay: StoredReplay): Promise<number> {
    const counts = await judge(replay)
    if (counts?.live === 0) await end(replay, 'completed', counts)
    return COUNT_MS
  }

  /** Counts outcomes when it is time to, and stops a replay that fails too often. */
  async function judge(replay: StoredReplay): Promise<JobCounts | undefined> {
    const now = clock.now()
    if (now < (nextCount.get(replay.id) ?? 0)) return undefined
    const counts = await countReplayed(database, replay.id)
    nextCount.set(replay.id, clock.now() + Math.max(COUNT_MS, (clock.now() - now) * 10))
    if (!failsTooOften(counts, replay.stopAtFailures)) return counts
    const share = Math.round((100 * counts.failed) / (counts.failed + counts.succeeded))
    await end(replay, 'stopped', undefined, `${share} % of its finished jobs failed`)
    return undefined
  }

  async function end(replay: StoredReplay, state: 'completed' | 'stopped', outcome?: JobCounts, reason?: string): Promise<void> {
    const now = new Date(clock.now())
    await database.transaction(async (tx) => {
      const current = await lockReplay(tx, replay.id)
      if (current?.state !== 'running') return
      await setState(tx, replay.id, state, now)
      if (outcome !== undefined) await settleReplay(tx, replay.id, outcome, now)
      await logReplay(tx, replay.id, { type: 'replay.changed', state, actor: 'xcore', ...(reason === undefined ? {} : { reason }) })
    })
    logger.info({ replay: replay.id, name: replay.name, state, reason, ...outcome }, 'a bulk replay ended')
  }

  /** It was ended before its time: what waits is cancelled, what runs may finish. */
  async function sweep(replay: StoredReplay): Promise<number> {
    let after = LOWEST_ID
    for (;;) {
      const jobs = await unfinishedJobs(database, replay.id, after, CANCEL_BATCH)
      const last = jobs.at(-1)
      if (last === undefined || signal.aborted) break
      after = last.id
      const entries = jobs.map((job) => ({ jobId: jobId(job.id), plugin: pluginName(job.plugin) }))
      const held = await options.queue.held(entries)
      await cancelAll(
        replay,
        entries.filter((entry) => !held.has(entry.jobId)),
      )
    }
    const outcome = await countReplayed(database, replay.id)
    if (outcome.live > 0) return COUNT_MS
    await database.transaction((tx) => settleReplay(tx, replay.id, outcome, new Date(clock.now())))
    return IDLE_MS
  }

  async function cancelAll(
    replay: StoredReplay,
    entries: readonly { jobId: ReturnType<typeof jobId>; plugin: ReturnType<typeof pluginName> }[],
  ) {
    const finished_at = new Date(clock.now()).toISOString()
    const reason = `the replay "${replay.name}" was ${replay.state}`
    await database.transaction(async (tx) => {
      const gone = await recordCancels(
        tx,
        entries.map(({ jobId: id }) => ({ id, data: { finished_at, reason } })),
      )
      if (gone.length > 0)
        await options.queue.remove(
          tx,
          gone.map(({ id, plugin }) => ({ jobId: id, plugin })),
        )
    })
  }
}

/** Waits for a time, a ring, or the end; a ring while nobody waits is not lost. */
function createBell(signal: AbortSignal): { ring(): void; wait(ms: number): Promise<void> } {
  let rung = false
  let wake: (() => void) | undefined
  const ring = () => {
    rung = true
    wake?.()
  }
  signal.addEventListener('abort', ring, { once: true })
  return {
    ring,
    async wait(ms) {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms)
          wake = () => (clearTimeout(timer), resolve())
        })
      }
      wake = undefined
      rung = false
    },
  }
}
