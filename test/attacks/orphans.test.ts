import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { probe } from '../../libs/plugin-host/runners/sandboxed/host/probe.ts'
import { RINGS } from '../../libs/plugin-host/runners/sandboxed/host/rings.ts'
import { makeGround } from './harness.ts'

for (const ring of RINGS) {
  test(`kill -9 of the host ends its sandboxes at once, in the ring ${ring}`, async (t) => {
    {
      await using ground = await makeGround()
      const missing = await probe({ ...ground.plan(ring), only: ring }).then(() => undefined, String)
      if (missing !== undefined) return t.skip(missing)
    }
    const host = spawn(process.execPath, [join(import.meta.dirname, 'doomed-host.ts'), ring], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = await once(createInterface({ input: host.stdout }), 'line')
    const told: unknown = JSON.parse(String(line))
    const { dir, sandboxes } = Object(told)
    assert.ok(Array.isArray(sandboxes) && sandboxes.length > 0)
    assert.ok(sandboxes.every((pid) => isAlive(Number(pid))))
    host.kill('SIGKILL')
    await once(host, 'exit')
    const began = performance.now()
    // Nobody tells of the end of a process that is not one's child: it is looked for.
    while (sandboxes.some((pid) => isAlive(Number(pid)))) {
      assert.ok(performance.now() - began < 2_000, `sandboxes outlived their host: ${sandboxes.join()}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await rm(String(dir), { recursive: true, force: true })
  })
}

function isAlive(pid: number): boolean {
  if (!existsSync(`/proc/${pid}`)) return false
  try {
    // A zombie runs nothing any more.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}
