import type { JobId } from '../../event-log/index.ts'
import { findJobs, jobsOfChain, jobsOfCorrelation } from '../../event-log/jobs-table.ts'
import { readStreams } from '../../event-log/read-log.ts'
import type { Database } from '../../postgres/sql.ts'
import type { JobsReader } from '../jobs-reader.ts'
import { causedBy, replaysOf } from './lineage.ts'
import { eventsByIds } from './logged-events.ts'
import type { JobStory } from './port.ts'

/** Replays and followers at most; the first ones are shown. */
const MOST_REPLAYS = 100
const MOST_CAUSED = 1_000

/** One job's whole story; undefined: there is no such job. */
export async function storyOf(database: Database, reader: JobsReader, id: JobId): Promise<JobStory | undefined> {
  const [job] = await findJobs(database, [id])
  if (job === undefined) return undefined
  const [chain, related] = await Promise.all([
    jobsOfChain(database, job.root ?? id, MOST_REPLAYS),
    jobsOfCorrelation(database, job.correlationId, MOST_CAUSED),
  ])
  const replays = replaysOf(id, chain)
  const emitted = [...new Set(related.flatMap((each) => each.meta.event?.id ?? []))]
  const [events, emits, shownReplays, shownRelated] = await Promise.all([
    readStreams(database, [id, ...replays.map((replay) => replay.id)]),
    eventsByIds(database, emitted),
    reader.shown(replays),
    reader.shown(related),
  ])
  return { events, replays: shownReplays, caused: causedBy(id, shownRelated, emits) }
}
