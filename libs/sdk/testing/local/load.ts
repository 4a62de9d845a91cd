import { pino } from 'pino'
import { problemOf, statusOfError } from '../../../../apps/api/problem.ts'
import { XCoreError, isErrorCode } from '../../../errors/index.ts'
import type { JobId, Json } from '../../../event-log/index.ts'
import { FRAMEWORK_VERSION, readManifest } from '../../../manifest/index.ts'
import { createPluginHost, type PluginHost, type ServiceFactory } from '../../../plugin-host/index.ts'
import { toJson } from '../../../plugin-host/to-json.ts'
import { cacheService } from '../../../services/cache/index.ts'
import { createMemoryCacheStore } from '../../../services/cache/memory/store.ts'
import type { CallResult } from '../../context.ts'
import type { AdvanceBy, Denial, EmittedEvent, LoadPluginOptions, PluginUnderTest, RequestOptions, TestJob } from '../port.ts'
import { StandingClock, millisecondsOf } from './clock.ts'
import { noDb, openDb } from './database.ts'
import { LocalEngine } from './engine.ts'
import { pluginsFolder } from './folder.ts'
import { createRequester } from './routes.ts'

/** Longer than any handler may take: jobs end by their own timeouts. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

/** The plugin in this process. */
export async function loadLocal(dir: string, options: LoadPluginOptions): Promise<PluginUnderTest> {
  await using opening = new AsyncDisposableStack()
  const manifest = await readManifest(dir)
  const folder = opening.use(await pluginsFolder(dir, manifest, options.plugins ?? {}))
  const logs: Record<string, unknown>[] = []
  const logger = pino({ level: 'debug', base: null }, { write: (line: string) => void logs.push(JSON.parse(line)) })
  const clock = new StandingClock((options.now ?? new Date()).getTime())
  const denials: Denial[] = []

  const db = options.database === undefined ? undefined : await openDb(opening, options.database, () => engine.transactions, logger)
  const host = createPluginHost({
    dir: folder.path,
    frameworkVersion: FRAMEWORK_VERSION,
    hostEnv: options.env ?? {},
    inProcess: true,
    logger,
    clock: { now: () => new Date(clock.now()) },
    onDenied: ({ plugin, resource, verb }) => void (plugin === manifest.name && denials.push({ resource, verb })),
    services: {
      cache: cacheService(createMemoryCacheStore(() => clock.now())),
      db: db?.of ?? noDb,
      ...replaced(options.services ?? {}),
    },
    ...(db === undefined ? {} : { databases: db }),
  })
  const engine: LocalEngine = new LocalEngine(host, clock, logger)
  opening.defer(() => host.unloadAll())
  await host.loadAll({ engine, subscriptions: engine.subscriptions, schedules: engine.schedules })
  checkReady(host, manifest.name)
  const open = opening.move()
  return new LocalPlugin({
    name: manifest.name,
    host,
    engine,
    logs,
    denials,
    request: createRequester(host, logger, () => new Date(clock.now())),
    open,
  })
}

interface LocalParts {
  readonly name: string
  readonly host: PluginHost
  readonly engine: LocalEngine
  readonly logs: readonly Record<string, unknown>[]
  readonly denials: readonly Denial[]
  readonly request: (method: string, path: string, options: RequestOptions) => Promise<Response>
  readonly open: AsyncDisposableStack
}

class LocalPlugin implements PluginUnderTest {
  readonly local = true
  readonly name: string
  readonly logs: PluginUnderTest['logs']
  readonly denials: readonly Denial[]
  readonly #parts: LocalParts

  constructor(parts: LocalParts) {
    this.#parts = parts
    this.name = parts.name
    this.logs = parts.logs
    this.denials = parts.denials
  }

  get now(): Date {
    return new Date(this.#parts.engine.clock.now())
  }
  get jobs(): readonly TestJob[] {
    return this.#parts.engine.jobs
  }
  get events(): readonly EmittedEvent[] {
    return this.#parts.engine.emitted.flatMap(({ row: { id, plugin, data } }) =>
      plugin === null ? [] : [{ id, name: data.name, data: data.data, source: data.source }],
    )
  }

  async call(action: string, payload: unknown = {}): Promise<CallResult> {
    const { engine } = this.#parts
    try {
      const request = { plugin: this.name, action, payload: argument(payload, 'payload'), source: 'http', awaited: true } as const
      return await this.#outcome((await engine.submit(request)).jobId)
    } catch (thrown) {
      return refusal(thrown)
    } finally {
      await engine.settled()
    }
  }

  async emit(name: string, data: unknown = {}): Promise<CallResult[]> {
    const { engine } = this.#parts
    const { jobs } = await engine.emit({ name, data: argument(data, 'data'), source: 'xcore://test' })
    const own = jobs.filter((id) => engine.jobs.some((job) => job.id === id && job.plugin === this.name))
    const outcomes = await Promise.all(own.map((id) => this.#outcome(id)))
    await engine.settled()
    return outcomes
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const response = await this.#parts.request(method, `/plugins/${this.name}${path.startsWith('/') ? path : `/${path}`}`, options)
    await this.#parts.engine.settled()
    return response
  }

  async fire(schedule: string): Promise<CallResult> {
    const { engine } = this.#parts
    const id = await engine.fire(this.name, schedule)
    if (id === undefined) {
      const known = (await engine.schedules.list(this.name)).map((each) => each.id)
      throw new XCoreError('not_found', `fire: plugin ${this.name} has no schedule ${schedule}; it has: ${known.join(', ') || 'none'}`)
    }
    const outcome = await this.#outcome(id)
    await engine.settled()
    return outcome
  }

  async advance(by: AdvanceBy): Promise<void> {
    await this.#parts.engine.advance(millisecondsOf(by))
  }

  settled(): Promise<void> {
    return this.#parts.engine.settled()
  }

  async reload(): Promise<void> {
    await this.#parts.host.reload(this.name)
  }

  async close(): Promise<void> {
    await this.#parts.engine.settled()
    await this.#parts.open.disposeAsync()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #outcome(id: JobId): Promise<CallResult> {
    const job = await this.#parts.engine.wait(id, LONGEST_WAIT_MS)
    if (job === undefined) throw new Error(`job ${id} is gone`)
    if (job.state === 'succeeded') return { ...(job.result ?? {}), status: 'ok' }
    const { code, message, details, ...error } = job.error ?? { code: 'cancelled', message: 'The job was cancelled.' }
    const status_code = statusOfError({ code, ...error })
    return { status: 'error', msg: message, code, status_code, ...(details === undefined ? {} : { details }) }
  }
}

/** Services that the test brings along. */
function replaced(services: Readonly<Record<string, unknown>>): Record<string, ServiceFactory> {
  return Object.fromEntries(Object.entries(services).map(([name, service]) => [name, () => service]))
}

function checkReady(host: PluginHost, name: string): void {
  const failed = host.statuses().find((status) => status.state !== 'ready' && status.name !== name)
  const own = host.refusal(name) ?? (failed === undefined ? undefined : host.refusal(failed.name))
  if (own !== undefined) throw new XCoreError(isErrorCode(own.code) ? own.code : 'plugin_load_failed', own.message)
}

function argument(value: unknown, name: string): Json {
  const converted = toJson(value, { name, maxBytes: 1024 * 1024 })
  if (converted.ok) return converted.json
  throw new XCoreError('bad_request', `${converted.problem}; what is sent to a plugin is JSON`)
}

/** As a caller over HTTP is told. */
function refusal(thrown: unknown): CallResult {
  const problem = thrown instanceof XCoreError ? problemOf(thrown) : undefined
  if (!(thrown instanceof XCoreError) || problem === undefined) throw thrown
  const details = thrown.issues.map(({ path, message }) => ({ path, message }))
  return {
    status: 'error',
    msg: problem.detail,
    code: problem.code,
    status_code: problem.status,
    ...(details.length > 0 ? { details } : {}),
  }
}
