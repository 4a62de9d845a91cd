import { XCoreError } from '../errors/index.ts'
import { LIVE_STATES, isTerminal, isUuid, jobId, pluginName } from '../event-log/index.ts'
import type { Job, JobId, JobState, LoggedEvent, StoredJob, StoredState } from '../event-log/index.ts'
import { findJobs, queryJobs } from '../event-log/jobs-table.ts'
import type { JobsQuery } from '../event-log/jobs-table.ts'
import { readStream } from '../event-log/read-log.ts'
import type { Database } from '../postgres/sql.ts'
import type { Queue } from '../queue/index.ts'
import type { Clock } from './clock.ts'
import type { JobFilter, JobPage } from './port.ts'

export interface JobsReader {
  get(id: JobId): Promise<Job | undefined>
  list(filter: JobFilter): Promise<JobPage>
  history(id: JobId): Promise<readonly LoggedEvent[] | undefined>
  /** A stored job as readers see it. */
  shown(jobs: readonly StoredJob[]): Promise<Job[]>
}

const DEFAULT_LIMIT = 50
const LARGEST_LIMIT = 200
/** A page that matches little reads on in steps of this many rows. */
const STEP = 200

export function createJobsReader(database: Database, queue: Queue, clock: Clock): JobsReader {
  /** Adds what only the queue knows: who is being run. */
  async function shown(jobs: readonly StoredJob[]): Promise<Job[]> {
    const live = jobs.filter((job) => !isTerminal(job.state))
    const held = live.length === 0 ? new Map<JobId, Date>() : await queue.held(live.map((job) => ({ jobId: job.id, plugin: job.plugin })))
    const now = clock.now()
    return jobs.map((job) => asShown(job, held.get(job.id), now))
  }

  async function list(filter: JobFilter): Promise<JobPage> {
    const limit = Math.min(filter.limit ?? DEFAULT_LIMIT, LARGEST_LIMIT)
    const wanted = filter.states === undefined ? undefined : new Set<JobState>(filter.states)
    const found: Job[] = []
    let before = filter.cursor === undefined ? undefined : decodeCursor(filter.cursor)
    // One more than asked for tells whether there is a next page. The state that readers see may differ from the stored one, so
    // a page is filtered after it was read, and read on until it is full.
    while (found.length <= limit) {
      const page = await readPage(filter, before, Math.max(limit + 1 - found.length, wanted === undefined ? 1 : STEP))
      const jobs = await shown(page.jobs)
      found.push(...(wanted === undefined ? jobs : jobs.filter((job) => wanted.has(job.state))))
      if (page.next === undefined) break
      before = page.next
    }
    const jobs = found.slice(0, limit)
    const last = jobs.at(-1)
    return { jobs, nextCursor: found.length > limit && last !== undefined ? encodeCursor(last.id) : null }
  }

  /** `next` is where the following page starts; undefined: there is none. */
  async function readPage(
    filter: JobFilter,
    before: JobId | undefined,
    size: number,
  ): Promise<{ jobs: StoredJob[]; next: JobId | undefined }> {
    const query = queryOf(filter, before, size)
    if (filter.states === undefined || !filter.states.every(isLive)) {
      const jobs = await queryJobs(database, query)
      return { jobs, next: jobs.length < size ? undefined : jobs.at(-1)?.id }
    }
    // Live jobs are few beside all history: the queue knows them.
    const scope = {
      ...(filter.plugin === undefined ? {} : { plugin: pluginName(filter.plugin) }),
      ...(before === undefined ? {} : { before }),
      limit: size,
    }
    const held = filter.states.includes('active') ? await queue.list({ ...scope, held: true }) : []
    const waiting = filter.states.some((state) => state !== 'active') ? await queue.list({ ...scope, held: false }) : []
    const ids = [...held, ...waiting].sort((a, b) => (a < b ? 1 : -1)).slice(0, size)
    if (ids.length === 0) return { jobs: [], next: undefined }
    const jobs = await queryJobs(database, { ...query, ids, limit: ids.length })
    return { jobs, next: ids.length < size ? undefined : ids.at(-1) }
  }

  return {
    shown,
    list,
    async get(id) {
      const [job] = await shown(await findJobs(database, [id]))
      return job
    },
    async history(id) {
      const events = await readStream(database, id)
      return events.some((logged) => logged.event.type === 'job.requested') ? events : undefined
    },
  }
}

function asShown(job: StoredJob, heldSince: Date | undefined, now: number): Job {
  if (isTerminal(job.state)) return job
  if (heldSince !== undefined) return { ...job, state: 'active', attempt: Math.min(job.attempt + 1, job.maxAttempts), startedAt: heldSince }
  if (job.state === 'scheduled' && job.runAt.getTime() <= now) return { ...job, state: 'queued' }
  return job
}

function isLive(state: JobState): boolean {
  return (LIVE_STATES as readonly JobState[]).includes(state)
}

/** In which stored states a job may be that readers see in one of `states`. */
function storedStates(states: readonly JobState[]): StoredState[] {
  const stored = new Set<StoredState>()
  for (const state of states) {
    if (state === 'active') for (const each of ['scheduled', 'queued', 'retrying'] as const) stored.add(each)
    else stored.add(state)
    if (state === 'queued') stored.add('scheduled')
  }
  return [...stored]
}

function queryOf(filter: JobFilter, before: JobId | undefined, limit: number): JobsQuery {
  const failedOnly =
    filter.states !== undefined && filter.states.length > 0 && filter.states.every((state) => state === 'failed' || state === 'dead')
  return {
    ...(filter.plugin === undefined ? {} : { plugin: filter.plugin }),
    ...(filter.kind === undefined ? {} : { kind: filter.kind }),
    ...(filter.name === undefined ? {} : { name: filter.name }),
    ...(filter.states === undefined ? {} : { states: storedStates(filter.states) }),
    ...(filter.errorCode === undefined ? {} : { errorCode: filter.errorCode }),
    ...(filter.correlationId === undefined ? {} : { correlationId: filter.correlationId }),
    ...(filter.replayId === undefined ? {} : { replayId: filter.replayId }),
    ...(filter.since === undefined ? {} : { since: filter.since }),
    ...(filter.until === undefined ? {} : { until: filter.until }),
    ...(before === undefined ? {} : { before }),
    withError: failedOnly,
    limit,
  }
}

function encodeCursor(id: JobId): string {
  return Buffer.from(id).toString('base64url')
}

function decodeCursor(cursor: string): JobId {
  const text = Buffer.from(cursor, 'base64url').toString()
  if (!isUuid(text)) throw new XCoreError('bad_request', 'cursor: expected a next_cursor of a previous page, found something else.')
  return jobId(text)
}
