import type { HandlerResult } from '../../../../engine/plugin-port.ts'
import { XCoreError, messageOf } from '../../../../errors/index.ts'
import { correlationId, eventId, jobId, pluginName } from '../../../../event-log/index.ts'
import type { Job, Json } from '../../../../event-log/index.ts'
import { isFunction, isRecord } from '../../../narrowing.ts'
import type { ActionInfo } from '../../../port.ts'
import { declaredActions } from '../../trusted/actions.ts'
import { instanceFrom } from '../../trusted/import-entry.ts'
import type { TrustedPlugin } from '../../trusted/plugin.ts'
import { loadInstance } from '../../trusted/runner.ts'
import { Channel } from '../wire/channel.ts'
import { checkFromHost } from '../wire/checks.ts'
import { fromRich, toRich } from '../wire/rich.ts'
import { PROTOCOL } from '../wire/frames.ts'
import type { FromHost, InitFrame, JobFrame, RouteFrame } from '../wire/frames.ts'
import { remoteJobTransaction } from './transactions.ts'
import type { Duplex } from 'node:stream'
import { remoteFetch } from './fetch.ts'
import { wireLogger } from './logger.ts'
import { innerManifest } from './manifest.ts'
import { innerPermissions } from './permissions.ts'
import { blankJob, remoteMetrics, remotePlatform, told } from './platform.ts'
import { Remote, caller } from './remote.ts'
import { remoteServices } from './services.ts'

const MAX_TEXT = 16_000

type Declared = Pick<ActionInfo, 'name' | 'input' | 'output'> & { readonly description?: string | undefined }

interface Inside {
  readonly plugin: TrustedPlugin
}

export interface SandboxOptions {
  readonly stream: Duplex
  /** Called with the plugin's bundle before anything of it is imported. */
  readonly harden: (bundle: string) => void
  readonly importBundle: (bundle: string) => Promise<unknown>
  /** The host is gone, or broke the protocol. */
  readonly end: () => void
}

/** The program inside the sandbox: loads one plugin, and runs what the host sends. */
export function runSandbox(options: SandboxOptions): void {
  const running = new Map<number, AbortController>()
  let inside: Inside | undefined
  const channel = new Channel({ stream: options.stream, onFrame: (frame) => receive(checkFromHost(frame)), onEnd: options.end })
  const remote = new Remote(channel)
  globalThis.fetch = remoteFetch(remote)
  channel.send({ t: 'hello', protocol: PROTOCOL })

  function receive(frame: FromHost): void {
    switch (frame.t) {
      case 'init':
        return void caller.run(frame.id, () => load(frame))
      case 'job':
        return void caller.run(frame.id, () => runJob(frame))
      case 'route':
        return void caller.run(frame.id, () => runRoute(frame))
      case 'abort':
        return running.get(frame.id)?.abort(new DOMException(frame.reason, frame.name))
      case 'reload':
        return void caller.run(frame.id, handOver)
      case 'unload':
        return void caller.run(frame.id, unload)
      case 'ping':
        return void channel.send({ t: 'pong', id: frame.id })
      case 'reply':
        return remote.reply(frame)
    }
  }

  async function load(init: InitFrame): Promise<void> {
    try {
      options.harden(init.bundle)
      const make = async () => {
        const module: unknown = await options.importBundle(init.bundle)
        return instanceFrom(isRecord(module) ? module : {}, init.entryPoint)
      }
      if (init.declareOnly) return declare(declaredActions((await make()).actions).values())
      const plugin = await loadInstance(sourceOf(init), make)
      if (plugin.hooks().length > 0)
        throw new XCoreError(
          'plugin_load_failed',
          'ctx.hooks: a sandboxed plugin cannot stand around actions of others; use `execution_mode: trusted`',
        )
      await plugin.publish()
      inside = { plugin }
      declare(plugin.actions, {
        freeForm: plugin.freeForm,
        routes: plugin.middleware !== null,
        declaredRoutes: plugin.routes,
        subscriptions: plugin.subscriptions().map(told),
      })
    } catch (thrown) {
      const stack = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause.stack : undefined
      channel.send({
        t: 'load_failed',
        message: messageOf(thrown).slice(0, MAX_TEXT),
        ...(stack === undefined ? {} : { stack: stack.slice(0, MAX_TEXT) }),
      })
    }
  }

  function declare(
    actions: Iterable<Declared>,
    more: object = { freeForm: false, routes: false, declaredRoutes: [], subscriptions: [] },
  ): void {
    const shown = Array.from(actions, ({ name, input, output = null, description }) => ({
      name,
      input,
      output,
      ...(description === undefined ? {} : { description }),
    }))
    channel.send({ t: 'loaded', actions: shown, ...more })
  }

  function sourceOf(init: InitFrame): Parameters<typeof loadInstance>[0] {
    const manifest = innerManifest(init)
    return {
      manifest,
      permissions: innerPermissions(manifest),
      folder: '',
      env: Object.freeze({ ...init.env }),
      logger: wireLogger(channel, init.level),
      metrics: remoteMetrics(channel),
      platform: remotePlatform(remote),
      services: remoteServices(remote, init.services),
      entryUrl: init.bundle,
      begin: init.services.includes('db') ? remoteJobTransaction(remote) : null,
      handOver: async () => fromRich(init.previousState),
      deadlines: init.deadlines,
      now: () => new Date(),
    }
  }

  async function runJob({ id, job, deadline }: JobFrame): Promise<void> {
    const controller = new AbortController()
    running.set(id, controller)
    const result = await present().plugin.execute({
      job: jobOf(present().plugin.name, job),
      deadline: new Date(deadline),
      signal: controller.signal,
      logger: present().plugin.logger,
    })
    running.delete(id)
    if (channel.send({ t: 'done', id, result: withoutTransaction(result) })) return
    channel.send({
      t: 'done',
      id,
      result: { kind: 'error', retryable: false, error: { code: 'invalid_result', message: 'the result is larger than 8 MiB' } },
    })
  }

  async function runRoute(frame: RouteFrame): Promise<void> {
    const { middleware } = present().plugin
    if (middleware === null) throw new XCoreError('internal_error', 'a request came for a plugin without routes')
    // Koa is only loaded by plugins that have routes.
    const { answerRoute } = await import('./routes.ts')
    channel.send(await answerRoute(middleware, frame))
  }

  async function handOver(): Promise<void> {
    try {
      channel.send({ t: 'handed_over', state: toRich(await inside?.plugin.handOver()), error: null })
    } catch (thrown) {
      channel.send({ t: 'handed_over', state: null, error: messageOf(thrown).slice(0, MAX_TEXT) })
    }
  }

  async function unload(): Promise<void> {
    let error: string | null = null
    try {
      await inside?.plugin.unload('unload')
    } catch (thrown) {
      error = messageOf(thrown).slice(0, MAX_TEXT)
    }
    channel.send({ t: 'unloaded', error })
  }

  function present(): Inside {
    if (inside === undefined) throw new XCoreError('internal_error', 'the host sent work before the plugin was loaded')
    return inside
  }
}

/** The transaction itself is the host's. */
function withoutTransaction(result: HandlerResult): object {
  if (result.kind !== 'ok' && result.kind !== 'error') return result
  const { transaction: _transaction, ...told } = result
  return told
}

function jobOf(plugin: string, { event, depth, method, payload, ...job }: JobFrame['job']): Job {
  return {
    ...blankJob(),
    ...job,
    id: jobId(job.id),
    plugin: pluginName(plugin),
    payload: isJson(payload) ? payload : null,
    correlationId: correlationId(job.correlationId),
    replayOf: job.replayOf === null ? null : jobId(job.replayOf),
    meta: {
      depth,
      ...(method === null ? {} : { schedule: { method } }),
      ...(event === null ? {} : { event: { ...event, id: eventId(event.id) } }),
    },
  }
}

// It came over the wire as JSON.
function isJson(value: unknown): value is Json {
  return value !== undefined && !isFunction(value)
}
