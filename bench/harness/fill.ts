import { setTimeout as pause } from 'node:timers/promises'
import type { Contender, Place } from './contender.ts'
import { query } from './query.ts'
import { RoleProcess } from './role-process.ts'

/** Fills the log by running so many jobs for real, then lets Postgres tidy up as it would between busy hours. */
export async function fill(contender: Contender, place: Place, jobs: number): Promise<void> {
  await contender.prepare(place)
  const assignment = { contender: contender.name, place, count: jobs }
  const { process: worker } = await RoleProcess.start({ role: 'worker', ...assignment })
  try {
    const { process: producer } = await RoleProcess.start({ role: 'producer', ...assignment })
    try {
      producer.send({ kind: 'go' })
      await Promise.all([producer.expect('done'), worker.expect('done')])
      while ((await contender.unrecorded(place, jobs)) > 0) await pause(100)
    } finally {
      await producer.close()
    }
  } finally {
    await worker.close()
  }
  await query(place.databaseUrl, 'vacuum (analyze)')
}
