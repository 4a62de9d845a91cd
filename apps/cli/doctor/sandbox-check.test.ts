import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkSandbox, sandboxFinding } from './sandbox-check.ts'

test('a ring below the one that is required fails, Node’s permission model alone is a warning, each with its remedy', () => {
  const missing = ['bwrap: bwrap was not found; install bubblewrap']
  const low = sandboxFinding({ ring: 'permission', missing }, 'uid')
  assert.deepEqual(
    [low.status, /sandbox\.require is uid.*bubblewrap/.test(low.detail), /root/.test(low.remedy ?? '')],
    ['fail', true, true],
  )
  const weak = sandboxFinding({ ring: 'permission', missing }, 'permission')
  assert.deepEqual([weak.status, /root.*bubblewrap/.test(weak.remedy ?? '')], ['warn', true])
  assert.deepEqual(sandboxFinding({ ring: 'uid', missing }, 'uid'), {
    name: 'sandbox',
    status: 'ok',
    detail: 'sandboxed plugins run in the ring uid',
    remedy: null,
  })
})

test('it is only looked at where there is a sandboxed plugin', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'xcore-doctor-'))
  try {
    const write = async (mode: string) => {
      await mkdir(join(dir, 'shop', 'src'), { recursive: true })
      await writeFile(join(dir, 'shop', 'plugin.yaml'), `name: shop\nversion: 1.0.0\nexecution_mode: ${mode}\n`)
      await writeFile(join(dir, 'shop', 'src', 'main.ts'), '')
    }
    await write('trusted')
    assert.deepEqual(await checkSandbox(dir, 'permission'), [])
    await write('sandboxed')
    const [finding] = await checkSandbox(dir, 'permission')
    assert.match(finding?.detail ?? '', /ring (uid|bwrap)|permission model of Node/)
  } finally {
    await rm(dir, { recursive: true })
  }
})
