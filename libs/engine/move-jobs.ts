import { jobId, pluginName } from '../event-log/index.ts'
import type { Database, Statement } from '../postgres/sql.ts'
import type { Queue, QueueEntry } from '../queue/index.ts'

export interface MoveOptions {
  readonly database: Database
  readonly from: Queue
  readonly to: Queue
  /** Called after each batch. */
  readonly onProgress?: (moved: number, total: number) => void
}

const LIVE: Statement = {
  name: 'jobs_live_page',
  text: `
    select id::text, plugin, priority, attempt, run_at from xcore.jobs
    where finished_at is null and id > $1::uuid order by id limit $2`,
}
const COUNT: Statement = { name: 'jobs_live_count', text: `select count(*)::int as count from xcore.jobs where finished_at is null` }

interface Row {
  id: string
  plugin: string
  priority: number
  attempt: number
  run_at: Date
}

const BATCH = 1_000

/**
 * Puts every job that has not finished on another queue, oldest first, and takes it off the one it is on. The jobs table says which those
 * are, so it does not matter what the old queue has lost. No worker may run meanwhile. Broken off, it is simply run again: a job
 * is on a queue once, whatever was done before. Returns how many were moved.
 */
export async function moveJobs({ database, from, to, onProgress }: MoveOptions): Promise<number> {
  const total = (await database.query<{ count: number }>(COUNT))[0]?.count ?? 0
  let moved = 0
  for (let last = '00000000-0000-0000-0000-000000000000'; ;) {
    const rows = await database.query<Row>(LIVE, [last, BATCH])
    const final = rows.at(-1)
    if (final === undefined) return moved
    const entries = rows.map(entryOf)
    await to.declare([...new Set(entries.map((entry) => entry.plugin))])
    await database.transaction(async (tx) => {
      await to.enqueue(tx, entries)
      await from.remove(tx, entries)
    })
    await to.committed(entries)
    moved += entries.length
    onProgress?.(moved, total)
    last = final.id
  }
}

function entryOf(row: Row): QueueEntry {
  const due = row.run_at.getTime() <= Date.now()
  return {
    jobId: jobId(row.id),
    plugin: pluginName(row.plugin),
    priority: row.priority,
    runAt: due ? null : row.run_at,
    attempts: row.attempt,
  }
}
