import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NEEDS_REDIS } from '../../libs/queue/bullmq/testing/redis-server.ts'
import { runCli } from '../cli-process.ts'
import { allEnd, call, ground, submit } from './setup.ts'

describe('xcore queue move', NEEDS_REDIS, () => {
  test('waiting, delayed and retrying jobs go to the other driver and back, and run there', async () => {
    await using at = await ground()
    const onBoss = { XCORE_QUEUE_DRIVER: 'pg-boss' }
    const cli = (...args: string[]) => runCli(args, { cwd: at.folder.path, env: at.env })
    {
      const api = await at.api(onBoss)
      await submit(api.url, 'ping', 40)
      await call(api.url, 'ping', { delay: 4 })
      await submit(api.url, 'flaky', 5)
      const refused = await cli('queue', 'move', '--to', 'nowhere')
      assert.equal(refused.code, 2)
      const worker = await at.worker(onBoss, ['--plugins', 'probe'])
      const busy = await cli('queue', 'move', '--to', 'bullmq')
      assert.equal(busy.code, 1)
      assert.match(busy.stderr, /some process runs the jobs of probe/)
      worker.child.kill('SIGTERM')
      assert.equal(await worker.ended, 0)
      api.child.kill('SIGTERM')
      await api.ended
    }
    const [left] = await at.database.run<{ count: number }>('select count(*)::int as count from xcore.jobs where finished_at is null')
    const there = await cli('queue', 'move', '--to', 'bullmq', '--json')
    assert.equal(there.code, 0, there.stderr)
    assert.deepEqual(JSON.parse(there.stdout), { to: 'bullmq', moved: left?.count })
    const [boss] = await at.database.run<{ count: number }>('select count(*)::int as count from pgboss.job')
    assert.equal(boss?.count, 0)
    const back = await cli('queue', 'move', '--to', 'pg-boss', '--json')
    assert.deepEqual(JSON.parse(back.stdout), { to: 'pg-boss', moved: left?.count })
    assert.equal(JSON.parse((await cli('queue', 'move', '--to', 'bullmq', '--json')).stdout).moved, left?.count)
    await at.worker()
    await allEnd(at, 46)
  })
})
