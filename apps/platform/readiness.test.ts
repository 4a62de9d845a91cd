import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReadiness } from './readiness.ts'
import type { ReadinessOptions } from './readiness.ts'

const fine = (): ReadinessOptions => ({
  database: async () => {},
  queueAvailable: () => true,
  workers: { served: async () => new Set<string>() },
  missingMigrations: async () => [],
  plugins: () => [],
  draining: new AbortController().signal,
})
const failing = async (overrides: Partial<ReadinessOptions>) => {
  const { ready, checks } = await createReadiness({ ...fine(), ...overrides })()
  assert.equal(
    ready,
    checks.every((check) => check.ok),
  )
  return checks.filter((check) => !check.ok)
}

test('ready when everything answers, and what is wrong otherwise', async () => {
  assert.deepEqual(await failing({}), [])
  const refuse = () => Promise.reject(new Error('a password in here'))
  const detail = 'did not answer within 2000 ms, or refused'
  assert.deepEqual(await failing({ database: refuse }), [{ name: 'database', ok: false, detail }])
  // Jobs are accepted all the same: they wait in Postgres.
  assert.deepEqual(await failing({ queueAvailable: () => false }), [])
  assert.deepEqual(await failing({ missingMigrations: async () => ['0002_replays'] }), [
    { name: 'migrations', ok: false, detail: 'missing: 0002_replays; run `xcore migrate`' },
  ])
  assert.deepEqual(await failing({ draining: AbortSignal.abort() }), [{ name: 'process', ok: false, detail: 'stopping' }])
})

test('an answer that does not come is not waited for', async () => {
  assert.equal((await failing({ database: () => new Promise(() => {}), timeoutMs: 5 }))[0]?.name, 'database')
})

test('many who ask cost as much as one; that the process stops is told at once', async () => {
  let asked = 0
  const stop = new AbortController()
  const readiness = createReadiness({ ...fine(), database: async () => void asked++, draining: stop.signal, cacheMs: 60_000 })
  await Promise.all(Array.from({ length: 50 }, () => readiness()))
  assert.equal((await readiness()).ready, true)
  assert.equal(asked, 1)
  stop.abort()
  assert.equal((await readiness()).ready, false)
})

test('an old answer is not given again', async () => {
  let up = false
  const readiness = createReadiness({ ...fine(), database: () => (up ? Promise.resolve() : Promise.reject(new Error())), cacheMs: 0 })
  assert.equal((await readiness()).ready, false)
  up = true
  assert.equal((await readiness()).ready, true)
})
