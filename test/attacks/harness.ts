import assert from 'node:assert/strict'
import { realpath } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import type { HandlerResult } from '../../libs/engine/index.ts'
import { hostWith, pluginClass } from '../../libs/plugin-host/testing/plugin-folder.ts'
import type { PluginHostOptions } from '../../libs/plugin-host/options.ts'
import type { TestHost } from '../../libs/plugin-host/testing/plugin-folder.ts'
import { makeBundleFolder } from '../../libs/plugin-host/runners/sandboxed/host/bundle-folder.ts'
import { bundleProgram } from '../../libs/plugin-host/runners/sandboxed/host/bundle-program.ts'
import { findTools, readUidMap } from '../../libs/plugin-host/runners/sandboxed/host/detect.ts'
import { live } from '../../libs/plugin-host/runners/sandboxed/host/launch.ts'
import { probe } from '../../libs/plugin-host/runners/sandboxed/host/probe.ts'
import { RINGS } from '../../libs/plugin-host/runners/sandboxed/host/rings.ts'
import type { LaunchPlan, Ring } from '../../libs/plugin-host/runners/sandboxed/host/rings.ts'
import { sandboxUid } from '../../libs/plugin-host/runners/sandboxed/host/uids.ts'
import { filesService } from '../../libs/services/files/index.ts'
import type { Attempt } from './attempt.ts'

/** What a host has that sandboxes must not get. */
export const HOST_SECRET = 'the-secret-of-the-host'
process.env['XCORE_TEST_SECRET'] = HOST_SECRET

/** A plugin that runs whatever it is sent, as code that has taken over a plugin would. */
const ATTACKER = pluginClass(`
  override async handle(name, payload, job) {
    if (name === 'ping') return ok()
    const AsyncFunction = (async () => {}).constructor
    const got = await AsyncFunction('load', 'plugin', 'job', payload.code)((specifier) => import(specifier), this, job)
    return ok({ got: got === undefined || got === null || got === false || got === '' ? null : String(got).slice(0, 500) })
  }`)

const BYSTANDER = pluginClass(`override handle() { return ok({ fine: true }) }`)

const manifest = (name: string, mode: string, more = '') => `name: ${name}\nversion: 1.0.0\nexecution_mode: ${mode}\n${more}`

export interface AttackOptions {
  /** More of the attacker's plugin.yaml. */
  readonly manifest?: string
  readonly timeoutMs?: number
  /** More of the host, owned by the stack. */
  readonly host?: (stack: AsyncDisposableStack) => Promise<Partial<PluginHostOptions>>
}

/** Makes a suite of the attempts, in each ring that this machine has. */
export function suite(group: string, list: readonly Attempt[], options: AttackOptions = {}): void {
  for (const ring of RINGS) {
    describe(`${group}, in the ring ${ring}`, async () => {
      const missing = await lacking(ring)
      if (missing !== undefined) return void test(`not on this machine: ${missing}`, { skip: true }, () => {})
      let t: TestHost
      const stack = new AsyncDisposableStack()
      before(async () => {
        const { services, ...more } = (await options.host?.(stack)) ?? {}
        const resources = options.manifest ?? 'resources: {max_memory_mb: 64}\n'
        t = await hostWith(
          {
            attacker: { 'plugin.yaml': manifest('attacker', 'sandboxed', resources), 'src/main.ts': ATTACKER },
            neighbour: { 'plugin.yaml': manifest('neighbour', 'sandboxed'), 'src/main.ts': BYSTANDER },
            bystander: BYSTANDER,
          },
          { sandbox: { ring }, ...more, services: { files: filesService, ...services } },
        )
        assert.equal(t.host.refusal('attacker'), undefined, JSON.stringify(t.host.refusal('attacker')))
      })
      after(async () => {
        await t[Symbol.asyncDispose]()
        await stack.disposeAsync()
        assert.equal(live.size, 0, 'a sandbox was left behind')
      })
      for (const attempt of list) test(attempt.name, () => attack(t, attempt, options.timeoutMs ?? 400))
    })
  }
}

async function attack(t: TestHost, { code, ends }: Attempt, timeoutMs: number): Promise<void> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(new DOMException('time is up', 'TimeoutError')), ends === undefined ? 5_000 : timeoutMs)
  const result = await t.run('attacker', 'attack', { code }, {}, { signal: controller.signal })
  clearTimeout(timer)
  if (ends === undefined)
    assert.ok(!(result.kind === 'ok' && result.result['got'] !== null), `the attempt succeeded: ${JSON.stringify(result)}`)
  else assert.ok(ends.includes(codeOf(result)), `expected ${ends.join(' or ')}, found ${JSON.stringify(result).slice(0, 500)}`)
  // Whatever it did, the others are served, and so is its next job.
  assert.equal((await t.run('bystander', 'ping')).kind, 'ok')
  assert.equal((await t.run('neighbour', 'ping')).kind, 'ok')
  await t.host.pause('attacker', false)
  for (let tries = 0; tries < 20; tries += 1) if ((await t.run('attacker', 'ping')).kind === 'ok') break
  assert.equal((await t.run('attacker', 'ping')).kind, 'ok')
}

function codeOf(result: HandlerResult): string {
  return result.kind === 'ok' ? 'ok' : result.error.code
}

/** Why a ring cannot be had here; undefined: it can. */
async function lacking(ring: Ring): Promise<string | undefined> {
  await using ground = await makeGround()
  try {
    await probe({ ...ground.plan(ring), only: ring })
    return undefined
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown)
  }
}

export interface Ground extends AsyncDisposable {
  readonly folder: string
  /** How a sandbox is started in a ring; the program may be replaced. */
  plan(ring: Ring): LaunchPlan
}

/** What is needed to start sandboxes by hand. */
export async function makeGround(): Promise<Ground> {
  const folder = await makeBundleFolder()
  const [program, node, tools, uidMap] = await Promise.all([
    bundleProgram(`${folder}/program`),
    realpath(process.execPath),
    findTools(),
    readUidMap(),
  ])
  const uid = process.getuid?.() === 0 ? sandboxUid(process.pid, 200, uidMap) : null
  const { rm } = await import('node:fs/promises')
  return {
    folder,
    plan: (ring) => ({ ring, node, program, bundle: program, maxMemoryMb: 64, uid: ring === 'permission' ? null : uid, tools }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
