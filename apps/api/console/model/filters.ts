/** Parameters of `GET /jobs`. */
export const JOB_FILTERS = [
  'plugin',
  'kind',
  'name',
  'state',
  'error_code',
  'error_fingerprint',
  'correlation_id',
  'replay_id',
  'since',
  'until',
  'limit',
  'cursor',
] as const

/** Members of the filter of `POST /replays` that are plain text; `payload` is not among them. */
export const REPLAY_FILTERS = [
  'plugin',
  'kind',
  'name',
  'state',
  'error_code',
  'error_fingerprint',
  'plugin_version',
  'correlation_id',
  'replay_id',
  'since',
  'until',
] as const

/** Parameters of `GET /jobs/failures`. */
export const FAILURE_FILTERS = ['plugin', 'name', 'error_code', 'since', 'until'] as const

export const KINDS = ['action', 'event', 'schedule'] as const
export const JOB_STATES = ['scheduled', 'queued', 'active', 'retrying', 'succeeded', 'failed', 'dead', 'cancelled'] as const
export const FINISHED_STATES = ['succeeded', 'failed', 'dead', 'cancelled'] as const

/** Values by name; what is left out is not asked for. */
export type Filter = Readonly<Record<string, string>>

/** The known, filled-in members of a query; the last one counts when a name comes twice. */
export function filterOf(query: URLSearchParams, names: readonly string[]): Filter {
  return picked(Object.fromEntries(query), names)
}

/** The same filter with those names only, without blanks, in the order of `names`. */
export function picked(filter: Filter, names: readonly string[]): Filter {
  const entries = names.map((name): [string, string] => [name, Object.hasOwn(filter, name) ? (filter[name] ?? '').trim() : ''])
  return Object.fromEntries(entries.filter(([, value]) => value !== ''))
}

export function queryOf(filter: Filter): string {
  return new URLSearchParams(filter).toString()
}

/** What a bulk replay would take of the jobs that a list shows: only finished ones can be replayed, and a page is no filter. */
export function replayable(filter: Filter): Filter {
  const finished: readonly string[] = FINISHED_STATES
  const states = (filter['state'] ?? '').split(',').filter((state) => finished.includes(state))
  return picked({ ...filter, state: states.join(',') }, REPLAY_FILTERS)
}
