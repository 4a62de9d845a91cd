import { testDatabase } from '../../libs/postgres/testing/index.ts'
import { runCli, testFolder } from '../cli-process.ts'
import { PROBE } from './setup.ts'

/** What a worker says that ends at its start. */
export async function refused(env: Record<string, string>): Promise<{ code: number | null; stderr: string }> {
  await using folder = await testFolder()
  await folder.write(PROBE)
  await using database = await testDatabase()
  const { code, stderr } = await runCli(['worker'], {
    cwd: folder.path,
    env: { XCORE_WORKER_METRICS_PORT: '0', DATABASE_URL: database.url, ...env },
  })
  return { code, stderr }
}
