/** One call of the JSON API. */
interface Call {
  readonly method: 'GET' | 'POST'
  /** As in /openapi.json. */
  readonly path: string
}

/** Every call that the console makes; a test looks each of them up in /openapi.json. */
export const CALLS = {
  readiness: { method: 'GET', path: '/readyz' },
  queues: { method: 'GET', path: '/admin/queues' },
  plugins: { method: 'GET', path: '/admin/plugins' },
  loadPlugin: { method: 'POST', path: '/admin/plugins/{name}/load' },
  reloadPlugin: { method: 'POST', path: '/admin/plugins/{name}/reload' },
  pausePlugin: { method: 'POST', path: '/admin/plugins/{name}/pause' },
  resumePlugin: { method: 'POST', path: '/admin/plugins/{name}/resume' },
  jobs: { method: 'GET', path: '/jobs' },
  failures: { method: 'GET', path: '/jobs/failures' },
  job: { method: 'GET', path: '/jobs/{id}' },
  story: { method: 'GET', path: '/jobs/{id}/events' },
  cancelJob: { method: 'POST', path: '/jobs/{id}/cancel' },
  replayJob: { method: 'POST', path: '/jobs/{id}/replay' },
  replays: { method: 'GET', path: '/replays' },
  replay: { method: 'GET', path: '/replays/{id}' },
  startReplay: { method: 'POST', path: '/replays' },
  pauseReplay: { method: 'POST', path: '/replays/{id}/pause' },
  resumeReplay: { method: 'POST', path: '/replays/{id}/resume' },
  cancelReplay: { method: 'POST', path: '/replays/{id}/cancel' },
  schedules: { method: 'GET', path: '/admin/schedules' },
  pauseSchedule: { method: 'POST', path: '/admin/schedules/{plugin}/{id}/pause' },
  resumeSchedule: { method: 'POST', path: '/admin/schedules/{plugin}/{id}/resume' },
} as const satisfies Readonly<Record<string, Call>>

export type CallName = keyof typeof CALLS

/**
 * The address of a call, relative to the page at `/console`, so that it also works behind a proxy that serves XCore under a prefix.
 * Null: a value cannot be part of a path. `.` and `..` would be taken for steps between folders, also when they are escaped.
 */
export function addressOf(name: CallName, params: Readonly<Record<string, string>>, query: string): string | null {
  let possible = true
  const path = CALLS[name].path.replaceAll(/\{(\w+)\}/g, (_, key: string) => {
    const value = params[key] ?? ''
    if (value === '' || value === '.' || value === '..' || !value.isWellFormed()) possible = false
    return possible ? encodeURIComponent(value) : ''
  })
  return possible ? `.${path}${query === '' ? '' : `?${query}`}` : null
}
