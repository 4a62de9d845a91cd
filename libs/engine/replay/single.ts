import { XCoreError } from '../../errors/index.ts'
import { isTerminal, jobId, pluginName, refusal, replayId } from '../../event-log/index.ts'
import type { EventId, Ids, JobId, Json } from '../../event-log/index.ts'
import { findJobs } from '../../event-log/jobs-table.ts'
import { logReplay } from '../../event-log/record-replays.ts'
import type { Database } from '../../postgres/sql.ts'
import type { Queue } from '../../queue/index.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { PluginDirectory } from '../plugin-port.ts'
import { createSubscribers } from '../subscriptions.ts'
import { addRepeat, announceBatch, emptyBatch, worldOf, writeBatch } from './batch.ts'
import { candidateOf } from './candidates.ts'
import { fitness } from './classify.ts'
import type { Candidate, Verdict } from './classify.ts'
import { addDeliveries } from './deliveries.ts'
import { eventsByIds, lastDeliveries } from './logged-events.ts'
import type { EventReplay, JobReplay, Replays } from './port.ts'
import { chooseReceivers } from './receivers.ts'

export interface ReplayPorts {
  readonly database: Database
  readonly queue: Queue
  readonly plugins: PluginDirectory
  readonly metrics: Metrics
  readonly ids: Ids
}

/** Replays of one job, or of one event. */
export function createSingleReplays(ports: ReplayPorts): Pick<Replays, 'job' | 'event'> {
  const { database, queue, plugins, metrics, ids } = ports
  const subscribers = createSubscribers()

  async function job(id: JobId, request: JobReplay) {
    if (request.edited !== undefined) checkJson(request.edited.payload)
    const replay = replayId(ids.uuid())
    const batch = emptyBatch()
    const fresh = jobId(ids.uuid())
    const root = await database.transaction(async (tx) => {
      const [stored] = await findJobs(tx, [id])
      if (stored === undefined) throw new XCoreError('not_found', `There is no job ${id}; history older than the retention is dropped.`)
      if (!isTerminal(stored.state)) throw notFinished(id)
      const candidate = await candidateOf(tx, id)
      const world = await worldOf(tx, plugins)
      const verdict =
        candidate === undefined ? undefined : fitness(candidate, world, { force: request.force === true, edited: request.edited })
      if (candidate === undefined || verdict === undefined) throw new XCoreError('not_found', `There is no job ${id}.`)
      if (verdict.kind === 'left out') throw refused(id, candidate, verdict, plugins)
      addRepeat(batch, verdict.plugin, { ...stored, id: fresh, source: id })
      await logReplay(tx, replay, { type: 'replay.requested', of: id, ...authorOf(request) })
      await writeBatch(tx, queue, { replayId: replay, actor: request.actor, reason: request.reason, edited: request.edited }, batch)
      return stored.root ?? id
    })
    await announceBatch(queue, metrics, batch)
    return { jobId: fresh, replayOf: id, root, replayId: replay }
  }

  async function event(id: EventId, request: EventReplay) {
    const replay = replayId(ids.uuid())
    const batch = emptyBatch()
    const leftOut = await database.transaction(async (tx) => {
      const [emitted] = await eventsByIds(tx, [id])
      if (emitted === undefined) throw new XCoreError('not_found', `There is no event ${id}; history older than the retention is dropped.`)
      const fitting = await subscribers.matching(tx, emitted.name)
      const delivered = (await lastDeliveries(tx, [emitted])).get(id) ?? new Map()
      const choice = chooseReceivers(fitting, delivered, { to: request.to, again: true })
      if (choice.deliver.length + choice.leftOut.length === 0) throw nobody(emitted.name, request, fitting)
      addDeliveries(batch, emitted, choice, { ids, replayId: replay, lane: undefined })
      await logReplay(tx, replay, { type: 'replay.requested', of: id, ...authorOf(request) })
      await writeBatch(tx, queue, { replayId: replay, actor: request.actor, reason: request.reason, edited: undefined }, batch)
      return choice.leftOut.map((each) => ({ ...each, plugin: pluginName(each.plugin) }))
    })
    await announceBatch(queue, metrics, batch)
    return { replayId: replay, jobs: batch.entries.map((entry) => entry.jobId), leftOut }
  }

  return { job, event }
}

export function authorOf({ actor, reason }: { readonly actor: string; readonly reason?: string }) {
  return { actor, ...(reason === undefined ? {} : { reason }) }
}

export function checkJson(payload: Json): void {
  const refused = refusal(payload)
  if (refused !== undefined) throw new XCoreError('invalid_json', `The payload at "${refused.path}" ${refused.reason}.`)
}

function notFinished(id: JobId): XCoreError {
  return new XCoreError(
    'job_not_finished',
    `The job ${id} has not finished; only a finished job can be replayed. Wait for its outcome, or cancel it first.`,
  )
}

function refused(id: JobId, candidate: Candidate, verdict: Extract<Verdict, { kind: 'left out' }>, plugins: PluginDirectory): XCoreError {
  const what = `The job ${id} cannot be replayed: ${verdict.why}`
  switch (verdict.reason) {
    case 'unsafe':
      return new XCoreError('replay_unsafe', `${what}. Make sure that running it twice does no harm, then say \`force: true\`.`)
    case 'invalid':
      return new XCoreError('validation_error', `${what}. Replay it with a payload that does.`, { issues: verdict.issues })
    default: {
      if (plugins.find(candidate.plugin) !== undefined) {
        return new XCoreError(candidate.kind === 'action' ? 'unknown_action' : 'not_found', `${what}. Bring it back first.`)
      }
      const known = plugins.refusal(candidate.plugin) !== undefined
      return known
        ? new XCoreError('not_ready', what, { retryAfterSeconds: 5 })
        : new XCoreError('not_found', `${what}. Its history is kept; bring the plugin back to replay it.`)
    }
  }
}

function nobody(name: string, { to }: EventReplay, fitting: readonly { readonly plugin: string; readonly id: string }[]): XCoreError {
  const known = fitting.map(({ plugin, id }) => `${plugin}/${id}`).join(', ') || 'none'
  if (to === 'failed') return new XCoreError('nothing_to_replay', `No delivery of this event has failed. Its subscriptions: ${known}.`)
  const wanted = to === 'all' ? 'any plugin' : `${to.plugin}${to.subscription === undefined ? '' : `/${to.subscription}`}`
  return new XCoreError(
    'nothing_to_replay',
    `Expected a subscription of ${wanted} that fits the event ${name}, found none. Subscriptions that fit: ${known}.`,
  )
}
