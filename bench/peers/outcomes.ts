import pg from 'pg'
import { count, query } from '../harness/query.ts'
import { PressureBatch } from '../harness/pressure-batch.ts'

/** For peers whose queue keeps no outcomes: a plain table of them, filled in batches by pressure. */
export class Outcomes {
  readonly #pool: pg.Pool
  readonly #batch: PressureBatch<string>

  constructor(databaseUrl: string) {
    this.#pool = new pg.Pool({ connectionString: databaseUrl, max: 2 })
    this.#batch = new PressureBatch(500, async (ids) => {
      const outcomes = ids.map(() => '{"status":"ok"}')
      await this.#pool.query({
        name: 'record',
        text: 'insert into outcomes (job_id, outcome) select * from unnest($1::text[], $2::jsonb[])',
        values: [ids, outcomes],
      })
    })
  }

  static async prepare(databaseUrl: string): Promise<void> {
    await query(
      databaseUrl,
      'create table outcomes (job_id text primary key, outcome jsonb not null, recorded_at timestamptz not null default now())',
    )
  }

  static async unrecorded(databaseUrl: string, jobs: number): Promise<number> {
    return jobs - (await count(databaseUrl, 'select count(*)::int as count from outcomes'))
  }

  record(jobId: string): Promise<void> {
    return this.#batch.add(jobId)
  }

  close(): Promise<void> {
    return this.#pool.end()
  }
}
