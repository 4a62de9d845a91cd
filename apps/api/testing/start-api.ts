import { pino } from 'pino'
import { createApi } from '../server.ts'
import type { Api, ApiDeps } from '../deps.ts'
import { createMemorySchedules } from '../../../libs/services/scheduler/memory/registry.ts'
import { MemoryEngine } from './memory-engine.ts'

export interface StartedApi extends AsyncDisposable {
  readonly api: Api
  readonly engine: MemoryEngine
  readonly url: string
  readonly port: number
  /** The labels of every observed request. */
  readonly observed: { readonly method: string; readonly route: string; readonly status: string }[]
  /** The log, line by line. */
  readonly log: Record<string, unknown>[]
  /** fetch with the path after the URL. */
  request(path: string, init?: RequestInit): Promise<Response>
  /** POST of a JSON body. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
}

/** The real api on a free port, over a MemoryEngine; stopped at the end of the `await using` scope. */
export async function startApi(overrides: Partial<ApiDeps> = {}): Promise<StartedApi> {
  const engine = new MemoryEngine()
  const observed: StartedApi['observed'] = []
  const log: Record<string, unknown>[] = []
  const api = createApi({ ...testDeps(engine, observed, log), ...overrides })
  const { url, port } = await api.listen('127.0.0.1', 0)
  const request: StartedApi['request'] = (path, init) => fetch(url + path, init)
  return {
    api,
    engine,
    url,
    port,
    observed,
    log,
    request,
    post: (path, body, headers = {}) =>
      request(path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }),
    [Symbol.asyncDispose]: () => api.close(0),
  }
}

/** What an api needs, with nothing behind it but the engine. */
export function testDeps(engine = new MemoryEngine(), observed: StartedApi['observed'] = [], log: StartedApi['log'] = []): ApiDeps {
  return {
    engine,
    host: { statuses: () => [], status: () => undefined, routes: () => undefined, find: () => undefined, refusal: () => undefined },
    control: { run: async () => [] },
    queue: { depths: async () => [] },
    schedules: createMemorySchedules(Date.now),
    versions: { list: async () => [] },
    metrics: {
      httpRequestSeconds: { observe: (labels) => void observed.push(labels) },
      text: async () => '# HELP up\n',
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
    },
    logger: pino({ level: 'debug' }, { write: (line: string) => void log.push(JSON.parse(line)) }),
    auth: { keys: [] },
    limits: { payloadBytes: 4096 },
    rateTokens: { take: async (_plugin, _limit, n) => ({ granted: n, retryAfterSeconds: 0 }) },
    readiness: async () => ({ ready: true, checks: [{ name: 'postgres', ok: true }] }),
    version: '3.0.0',
  }
}

/** The JSON object of an answer. */
export async function jsonOf(response: Response): Promise<Record<string, unknown>> {
  const body: unknown = await response.json()
  if (typeof body !== 'object' || body === null) throw new TypeError(`expected an object, found ${JSON.stringify(body)}`)
  return { ...body }
}
