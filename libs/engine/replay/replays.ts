import { XCoreError } from '../../errors/index.ts'
import { isUuid, replayId } from '../../event-log/index.ts'
import { logReplay } from '../../event-log/record-replays.ts'
import { failureGroups } from '../failures/failures.ts'
import type { JobsReader } from '../jobs-reader.ts'
import { countJobs } from './candidates.ts'
import { filterJson, freeze, receiversJson } from './filter.ts'
import type { FrozenSelection } from './filter.ts'
import { countEvents } from './logged-events.ts'
import { planJobs } from './plan.ts'
import { planEvents } from './plan-events.ts'
import type { Author, BulkReplay, NamedReplay, Replay, ReplayState, Replays } from './port.ts'
import { progressOf } from './progress.ts'
import { countReplayed, findReplay, insertReplay, latestReplays, lockReplay, setState } from './replays-table.ts'
import type { StoredReplay } from './replays-table.ts'
import { runReplays } from './runner.ts'
import type { RunnerOptions } from './runner.ts'
import { authorOf, checkJson, createSingleReplays } from './single.ts'
import { storyOf } from './story.ts'

export interface ReplaysOptions extends RunnerOptions {
  readonly reader: JobsReader
}

/** The lane of bulk replays: below what callers wait for (default 50). */
const LANE_PRIORITY = 10

export function createReplays(options: ReplaysOptions): Replays {
  const { database, plugins, notifications, clock, ids, logger, reader } = options
  const now = () => new Date(clock.now())

  /** A hint: without it the one who carries out looks within two seconds. */
  function ring(id: string): void {
    notifications
      .notify('xcore_replays', id)
      .catch((err: unknown) =>
        logger.debug({ err, replay: id }, 'the process that carries out replays could not be told; it looks by itself'),
      )
  }

  async function shown(replay: StoredReplay): Promise<Replay> {
    const counts = replay.outcome ?? (await countReplayed(database, replay.id))
    const { selection: _selection, edited: _edited, force: _force, cursor: _cursor, ...rest } = replay
    const progress = progressOf({
      total: replay.total,
      enqueued: replay.enqueued,
      leftOut: replay.leftOut,
      selected: replay.selectedAt !== null,
      ended: replay.finishedAt !== null,
      ratePerSecond: replay.ratePerSecond,
      elapsedMs: clock.now() - replay.createdAt.getTime(),
      counts,
    })
    return { ...rest, progress }
  }

  async function find(id: string): Promise<Replay | undefined> {
    const stored = isUuid(id) ? await findReplay(database, id) : undefined
    return stored === undefined ? undefined : shown(stored)
  }

  async function start(request: NamedReplay): Promise<Replay> {
    if (request.edited !== undefined) checkJson(request.edited.payload)
    const at = now()
    const frozen = freeze(request.selection, at)
    const total = await countOf(frozen)
    if (total === 0) {
      throw new XCoreError(
        'nothing_to_replay',
        `Nothing matches this filter now, so no replay was started. Frozen filter: ${JSON.stringify(filterJson(frozen))}. Widen it; \`dry_run: true\` shows what it matches.`,
      )
    }
    const id = replayId(ids.uuid())
    const { name, reason, actor, edited } = request
    const filter = filterJson(frozen)
    await database.transaction(async (tx) => {
      await insertReplay(tx, {
        id,
        name,
        reason,
        actor,
        kind: frozen.kind,
        filter,
        receivers: receiversJson(frozen),
        edited,
        force: request.force === true,
        priority: request.priority ?? LANE_PRIORITY,
        ratePerSecond: request.ratePerSecond,
        stopAtFailures: request.stopAtFailures,
        total,
        createdAt: at,
      })
      await logReplay(tx, id, { type: 'replay.requested', name, actor, reason, filter })
    })
    ring(id)
    const replay = await find(id)
    if (replay === undefined) throw noSuchReplay(id)
    return replay
  }

  function countOf(frozen: FrozenSelection): Promise<number> {
    return frozen.kind === 'jobs' ? countJobs(database, frozen) : countEvents(database, frozen)
  }

  function plan(request: BulkReplay) {
    const frozen = freeze(request.selection, now())
    return frozen.kind === 'jobs'
      ? planJobs(database, plugins, frozen, { force: request.force === true, edited: request.edited })
      : planEvents(database, frozen)
  }

  async function change(id: string, to: Extract<ReplayState, 'running' | 'paused' | 'cancelled'>, by: Author): Promise<Replay> {
    const changed = await database.transaction(async (tx) => {
      const replay = isUuid(id) ? await lockReplay(tx, id) : undefined
      if (replay === undefined) throw noSuchReplay(id)
      if (replay.state === to) return replay
      if (replay.finishedAt !== null) {
        throw new XCoreError(
          'replay_finished',
          `The replay "${replay.name}" is ${replay.state} since ${replay.finishedAt.toISOString()}. Start a new one: it leaves out what has succeeded.`,
        )
      }
      await logReplay(tx, replay.id, { type: 'replay.changed', state: to, ...authorOf(by) })
      return (await setState(tx, replay.id, to, now())) ?? replay
    })
    ring(id)
    return shown(changed)
  }

  return {
    ...createSingleReplays(options),
    plan,
    start,
    get: find,
    list: async (limit) => Promise.all((await latestReplays(database, limit)).map(shown)),
    pause: (id, by) => change(id, 'paused', by),
    resume: (id, by) => change(id, 'running', by),
    cancel: (id, by) => change(id, 'cancelled', by),
    failures: (filter) => failureGroups(database, filter),
    story: (id) => storyOf(database, reader, id),
    run: (signal) => runReplays(options, signal),
  }
}

export function noSuchReplay(id: string): XCoreError {
  return new XCoreError('not_found', `There is no bulk replay ${id}; GET /replays or \`xcore replays\` lists them.`)
}
