import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { XCoreError, messageOf } from '../../errors/index.ts'
import { readManifest } from '../../manifest/read.ts'
import type { CallResult } from '../context.ts'
import { bodyOf } from './body.ts'
import type { PluginUnderTest, RequestOptions } from './port.ts'

/** As long as the api lets a caller wait for an outcome. */
const WAIT_SECONDS = 60
const POLL_MS = 50
const TERMINAL = ['succeeded', 'failed', 'dead', 'cancelled']

type Body = Readonly<Record<string, unknown>>

/** The plugin as a running XCore has it. Rejects with XCoreError `not_ready` when it is not there, or in another version. */
export async function loadRemote(folder: string, url: string, key: string | undefined): Promise<PluginUnderTest> {
  const manifest = await readManifest(folder)
  const remote = new RemotePlugin(manifest.name, url.replace(/\/$/, ''), key)
  await remote.check(manifest.version)
  return remote
}

class RemotePlugin implements PluginUnderTest {
  readonly local = false
  readonly name: string
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>

  constructor(name: string, url: string, key: string | undefined) {
    this.name = name
    this.#url = url
    this.#headers = key === undefined || key === '' ? {} : { authorization: `Bearer ${key}` }
  }

  async check(version: string): Promise<void> {
    const { status, body } = await this.#json('GET', `/admin/plugins/${this.name}`)
    if (status !== 200 || body['state'] !== 'ready') {
      const found = status === 200 ? `found it ${String(body['state'])}` : `found ${status} ${String(body['detail'] ?? '')}`
      throw new XCoreError('not_ready', `loadPlugin: expected the plugin ${this.name} ready at ${this.#url}, ${found}`)
    }
    if (body['version'] !== version) {
      throw new XCoreError(
        'not_ready',
        `loadPlugin: expected version ${version} of ${this.name} at ${this.#url}, found ${String(body['version'])}; reload it there`,
      )
    }
  }

  async call(action: string, payload: unknown = {}): Promise<CallResult> {
    const { status, body } = await this.#json('POST', `/ipc/${this.name}/${encodeURIComponent(action)}`, {
      body: { payload },
      headers: { prefer: `wait=${WAIT_SECONDS}` },
    })
    if (status === 202) return this.#outcome(String(body['job_id']))
    return isBody(body['result']) ? resultOf(body['result'], status) : problemOf(body, status)
  }

  async emit(name: string, data: unknown = {}): Promise<CallResult[]> {
    const event = { specversion: '1.0', id: randomUUID(), source: 'xcore://test', type: name, data }
    const { status, body } = await this.#json('POST', '/events', {
      body: event,
      headers: { 'content-type': 'application/cloudevents+json' },
    })
    if (status !== 202)
      throw new XCoreError('bad_request', `emit: expected ${this.#url} to accept ${name}, found ${status} ${String(body['detail'])}`)
    const ids = Array.isArray(body['jobs']) ? body['jobs'].map(String) : []
    const jobs = await Promise.all(ids.map((id) => this.#ended(id)))
    return jobs.filter((job) => job['plugin'] === this.name).map(outcomeOf)
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    return this.#send(method, `/plugins/${this.name}${path.startsWith('/') ? path : `/${path}`}`, options)
  }

  fire = (): never => this.#onlyLocal('fire')
  advance = (): never => this.#onlyLocal('advance')
  settled = (): never => this.#onlyLocal('settled')
  reload = (): never => this.#onlyLocal('reload')
  get now(): never {
    return this.#onlyLocal('now')
  }
  get events(): never {
    return this.#onlyLocal('events')
  }
  get jobs(): never {
    return this.#onlyLocal('jobs')
  }
  get denials(): never {
    return this.#onlyLocal('denials')
  }
  get logs(): never {
    return this.#onlyLocal('logs')
  }

  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}

  #onlyLocal(member: string): never {
    throw new XCoreError(
      'bad_request',
      `${member} works only in the test's own process, and this test asks ${this.#url}; skip it there: { skip: !plugin.local }`,
    )
  }

  async #outcome(id: string): Promise<CallResult> {
    return outcomeOf(await this.#ended(id))
  }

  async #ended(id: string): Promise<Body> {
    for (;;) {
      const { status, body } = await this.#json('GET', `/jobs/${id}`)
      if (status !== 200) throw new XCoreError('not_found', `GET /jobs/${id}: expected 200, found ${status} ${String(body['detail'])}`)
      if (TERMINAL.includes(String(body['state']))) return body
      await sleep(POLL_MS)
    }
  }

  async #json(method: string, path: string, options: RequestOptions = {}): Promise<{ readonly status: number; readonly body: Body }> {
    const response = await this.#send(method, path, options)
    const text = await response.text()
    try {
      const body: unknown = JSON.parse(text)
      return { status: response.status, body: isBody(body) ? body : {} }
    } catch {
      throw new XCoreError('not_ready', `${this.#url}${path}: expected JSON of an XCore, found ${response.status} ${text.slice(0, 100)}`)
    }
  }

  async #send(method: string, path: string, options: RequestOptions): Promise<Response> {
    const { headers, body } = bodyOf(options)
    try {
      return await fetch(this.#url + path, { method, headers: { ...this.#headers, ...headers }, body: body ?? null, redirect: 'manual' })
    } catch (thrown) {
      const cause = thrown instanceof Error && thrown.cause !== undefined ? messageOf(thrown.cause) : messageOf(thrown)
      throw new XCoreError('not_ready', `loadPlugin: no XCore answers at ${this.#url} (${cause}); start it, or unset XCORE_TEST_URL`)
    }
  }
}

function outcomeOf(job: Body): CallResult {
  if (job['state'] === 'succeeded') return { ...(isBody(job['result']) ? jsonOf(job['result']) : {}), status: 'ok' }
  const error = isBody(job['error']) ? job['error'] : { code: 'cancelled', message: 'The job was cancelled.' }
  return resultOf({ ...error, status: 'error', msg: error['message'] }, undefined)
}

function resultOf(result: Body, status: number | undefined): CallResult {
  if (result['status'] === 'ok') return { ...jsonOf(result), status: 'ok' }
  const own = typeof result['status_code'] === 'number' ? result['status_code'] : status
  return {
    status: 'error',
    msg: String(result['msg']),
    code: String(result['code']),
    ...(own === undefined ? {} : { status_code: own }),
    ...(result['details'] === undefined ? {} : { details: jsonOf({ details: result['details'] })['details'] ?? null }),
  }
}

function problemOf(problem: Body, status: number): CallResult {
  return resultOf({ status: 'error', msg: problem['detail'], code: problem['code'], details: problem['errors'] }, status)
}

/** It came as JSON. */
function jsonOf(value: Body): Extract<CallResult, { status: 'ok' }> {
  return JSON.parse(JSON.stringify(value))
}

function isBody(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
