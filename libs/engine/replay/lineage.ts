import type { Job } from '../../event-log/index.ts'
import type { LoggedEmit } from './logged-events.ts'
import type { Caused } from './port.ts'

/** What came of `cause`, by causation ids: jobs, events, and what came of those. Oldest first. Pure; each is shown once. */
export function causedBy(
  cause: string,
  jobs: readonly Job[],
  events: readonly Pick<LoggedEmit, 'id' | 'name' | 'source' | 'causationId'>[],
): Caused[] {
  const jobsOf = Map.groupBy(jobs, (job) => job.causationId)
  const eventsOf = Map.groupBy(events, (event) => event.causationId)
  const shown = new Set<string>([cause])

  // A log that is not damaged holds no circles; one that is must not hang whoever reads it.
  function under(id: string): Caused[] {
    const found = [
      ...(jobsOf.get(id) ?? []).map((job) => ({ id: job.id, make: (): Caused => ({ type: 'job', job, caused: under(job.id) }) })),
      ...(eventsOf.get(id) ?? []).map((event) => ({
        id: event.id,
        make: (): Caused => ({ type: 'event', id: event.id, name: event.name, source: event.source, caused: under(event.id) }),
      })),
    ]
    const fresh = found.filter((each) => !shown.has(each.id))
    for (const each of fresh) shown.add(each.id)
    // Ids sort by time.
    return fresh.sort((a, b) => (a.id < b.id ? -1 : 1)).map((each) => each.make())
  }
  return under(cause)
}

/** Those of a chain that repeat `id`, directly or through another replay. Pure. */
export function replaysOf<T extends Pick<Job, 'id' | 'replayOf'>>(id: string, chain: readonly T[]): T[] {
  const known = new Set<string>([id])
  const found: T[] = []
  for (const job of [...chain].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    if (job.replayOf === null || !known.has(job.replayOf)) continue
    known.add(job.id)
    found.push(job)
  }
  return found
}
