import type { JobId, JobState } from '../../event-log/index.ts'
import type { Database } from '../../postgres/sql.ts'
import type { RunningEngine } from '../engine.ts'
import type { Replay, ReplayState } from '../replay/port.ts'

/** Carries out bulk replays, as the elected process does, until it goes out of scope. */
export function carryingOut(engine: RunningEngine): AsyncDisposable {
  const stop = new AbortController()
  const run = engine.replays.run(stop.signal)
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await run
    },
  }
}

/** Reads the replay until `done` says that it is where it should be. */
export async function replayUntil(engine: RunningEngine, id: string, done: ReplayState | ((replay: Replay) => boolean)): Promise<Replay> {
  const isDone = typeof done === 'function' ? done : (replay: Replay) => replay.state === done
  const deadline = AbortSignal.timeout(30_000)
  for (;;) {
    const replay = await engine.replays.get(id)
    if (replay !== undefined && isDone(replay)) return replay
    if (deadline.aborted) throw new Error(`the replay is still ${JSON.stringify(replay)}`)
  }
}

/** Finished jobs made in Postgres, log included, without running them: for tests of many. Ids are in the order of their number. */
export async function insertFinished(
  database: Database,
  count: number,
  job: {
    readonly plugin: string
    readonly name: string
    readonly state: Extract<JobState, 'failed' | 'succeeded'>
    readonly code?: string
  },
): Promise<JobId[]> {
  const rows = await database.run<{ id: JobId }>(
    `with numbered as (
      select n, uuidv7() as id from generate_series(1, $1::int) n
    ), made as (
      insert into xcore.jobs (id, kind, plugin, name, state, attempt, priority, max_attempts, payload, result, error, error_code,
        error_fingerprint, requested_at, run_at, started_at, finished_at, correlation_id, plugin_version)
      select id, 'action', $2, $3, $4, 1, 50, 3, jsonb_build_object('n', n), case when $4 = 'succeeded' then '{"status":"ok"}'::jsonb end,
        e.error, e.error ->> 'code', case when e.error is not null then 'f00d' end,
        date_trunc('milliseconds', now() - interval '20 ms'), date_trunc('milliseconds', now() - interval '20 ms'), date_trunc('milliseconds', now() - interval '20 ms'),
        date_trunc('milliseconds', now() - interval '20 ms'), id, '1.0.0'
      from numbered
      cross join (select case when $4 = 'failed' then jsonb_build_object('code', $5::text, 'message', 'no') end as error) e
      returning id::text
    ) select id from made order by id`,
    [count, job.plugin, job.name, job.state, job.code ?? 'busy'],
  )
  return rows.map((row) => row.id)
}
