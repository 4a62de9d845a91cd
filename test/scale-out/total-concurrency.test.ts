import assert from 'node:assert/strict'
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Redis } from 'ioredis'
import { NEEDS_REDIS } from '../../libs/queue/bullmq/testing/redis-server.ts'
import { allEnd, call, ground, submit, until } from './setup.ts'
import type { Ground } from './setup.ts'

const TOTAL = 3

/** Its handler writes when it begins and ends, in one file that all processes append to. */
const NARROW = {
  'plugins/narrow/plugin.yaml': `name: narrow\nversion: 1.0.0\nconcurrency: 10\ntotal_concurrency: ${TOTAL}\nresources: { timeout_seconds: 60 }\n`,
  'plugins/narrow/src/main.ts': `
import { appendFileSync } from 'node:fs'
import { TrustedBase, action, ok } from '@xcore/sdk'
const note = (what) => appendFileSync(process.env.XCORE_TEST_NOTES, what + ' ' + process.pid + '\\n')
export default class Narrow extends TrustedBase {
  override actions = {
    step: action({ handler: async (payload) => {
      note('begin')
      await new Promise((resolve) => setTimeout(resolve, payload.ms))
      note('end')
      return ok()
    } }),
  }
}
`,
}

interface Note {
  readonly what: string
  readonly pid: string
}

async function notesOf(at: Ground): Promise<Note[]> {
  const text = await readFile(join(at.folder.path, 'notes'), 'utf8').catch(() => '')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [what = '', pid = ''] = line.split(' ')
      return { what, pid }
    })
}

/** The most that ran at once; a process that was killed runs nothing from then on. */
function mostAtOnce(notes: readonly Note[]): number {
  let running: string[] = []
  let most = 0
  for (const { what, pid } of notes) {
    if (what === 'begin') running.push(pid)
    else if (what === 'end') running.splice(running.indexOf(pid), 1)
    else if (what === 'killed') running = running.filter((each) => each !== pid)
    most = Math.max(most, running.length)
  }
  return most
}

async function narrowGround() {
  const at = await ground({ files: NARROW })
  return { at, env: { XCORE_TEST_NOTES: join(at.folder.path, 'notes') } }
}

describe('total_concurrency', { concurrency: true }, () => {
  for (const driver of ['pg-boss', 'bullmq'])
    test(`two workers on ${driver}, one killed: never more at once, and all is done`, NEEDS_REDIS, async () => {
      const { at, env } = await narrowGround()
      await using _ = at
      const settings = { ...env, XCORE_QUEUE_DRIVER: driver }
      const api = await at.api(settings)
      const first = await at.worker(settings)
      const second = await at.worker(settings)
      await submit(api.url, 'step', 60, { ms: 100 }, 'narrow')
      const ranBy = (notes: readonly Note[], pid: number | undefined) => notes.filter((note) => note.pid === String(pid)).length
      await until('both take part', async () => {
        const notes = await notesOf(at)
        return ranBy(notes, first.child.pid) > 4 && ranBy(notes, second.child.pid) > 4
      })
      // So that the killed one holds something.
      await submit(api.url, 'step', 10, { ms: 2_000 }, 'narrow')
      await until('it holds a job', async () => {
        const own = (await notesOf(at)).filter(({ pid }) => pid === String(first.child.pid))
        return own.filter(({ what }) => what === 'begin').length > own.filter(({ what }) => what === 'end').length
      })
      first.child.kill('SIGKILL')
      await first.ended
      await appendFile(env.XCORE_TEST_NOTES, `killed ${first.child.pid}\n`)
      await allEnd(at, 70, 'succeeded', 100)
      const notes = await notesOf(at)
      assert.equal(mostAtOnce(notes), TOTAL)
      const shown: unknown = await (await fetch(`${api.url}/admin/plugins/narrow`)).json()
      assert.equal(Object(Object(shown).manifest).total_concurrency, TOTAL)
      assert.match(
        await (await fetch(`${second.url}/metrics`)).text(),
        new RegExp(`^xcore_worker_slots\\{plugin="narrow"\\} ${TOTAL}$`, 'm'),
      )
    })

  test('FLUSHALL while as many run as may: no more are started before they tell Redis of it', NEEDS_REDIS, async () => {
    const { at, env } = await narrowGround()
    await using _ = at
    const api = await at.api(env)
    await at.worker(env)
    await at.worker(env)
    assert.equal((await call(api.url, 'step', { plugin: 'narrow', payload: { ms: 1 }, wait: 20 })).status, 200)
    const redis = new Redis(at.redis.url)
    try {
      await until('Redis has its mark', async () => (await redis.hget('xcore:{narrow}:meta', 'xcore')) !== null)
      await submit(api.url, 'step', 6, { ms: 4_000 }, 'narrow')
      await until('as many run as may', async () => (await notesOf(at)).filter(({ what }) => what === 'begin').length === 1 + TOTAL)
      await redis.flushall()
    } finally {
      redis.disconnect()
    }
    await submit(api.url, 'step', 20, { ms: 20 }, 'narrow')
    await allEnd(at, 27)
    assert.equal(mostAtOnce(await notesOf(at)), TOTAL)
  })
})
