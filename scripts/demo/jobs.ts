import { setInterval as every } from 'node:timers/promises'

/** What the demo reads of a job as GET /jobs answers it. */
export interface Job {
  readonly job_id: string
  readonly name: string
  readonly state: string
  readonly attempt: number
  readonly payload: { readonly endpoint_id?: string; readonly event?: { readonly name: string } }
  readonly error: { readonly code: string; readonly message: string } | null
}

interface Page {
  readonly jobs: readonly Job[]
  readonly next_cursor: string | null
}

const LIVE = 'scheduled,queued,active,retrying'

/** Every job that the filter (query parameters of GET /jobs) finds. */
export async function allJobs(url: string, filter: Readonly<Record<string, string>>): Promise<readonly Job[]> {
  const jobs: Job[] = []
  let cursor: string | null = null
  do {
    const page: Page = await getPage(url, { ...filter, limit: '200', ...(cursor === null ? {} : { cursor }) })
    jobs.push(...page.jobs)
    cursor = page.next_cursor
  } while (cursor !== null)
  return jobs
}

/** Looks every 250 ms until no job of the plugin is left to do. Throws after `withinSeconds`. */
export async function whenSettled(url: string, plugin: string, withinSeconds: number): Promise<void> {
  const deadline = performance.now() + withinSeconds * 1000
  for await (const _ of every(250)) {
    const { jobs } = await getPage(url, { plugin, state: LIVE, limit: '1' })
    if (jobs.length === 0) return
    if (performance.now() > deadline)
      throw new Error(`after ${withinSeconds} s plugin ${plugin} still has jobs to do, e.g. ${JSON.stringify(jobs[0])}`)
  }
}

/** What the demo reads of an entry of a job's history. */
export interface HistoryEntry {
  readonly recorded_at: string
  readonly type: string
  readonly attempt?: number
  readonly error?: { readonly code: string; readonly message: string }
  readonly retry_at?: string
}

/** Oldest first. */
export async function historyOf(url: string, jobId: string): Promise<readonly HistoryEntry[]> {
  const response = await fetch(`${url}/jobs/${jobId}/events`)
  if (!response.ok) throw new Error(`GET /jobs/${jobId}/events answered ${response.status}: ${await response.text()}`)
  const { events } = (await response.json()) as { readonly events: readonly HistoryEntry[] }
  return events
}

async function getPage(url: string, query: Readonly<Record<string, string>>): Promise<Page> {
  const response = await fetch(`${url}/jobs?${new URLSearchParams(query)}`)
  if (!response.ok) throw new Error(`GET /jobs answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as Page
}
