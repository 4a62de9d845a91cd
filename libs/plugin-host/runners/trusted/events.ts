import { error } from '@xcore/sdk'
import type { EmitOptions, EventHandler, EventSubscription, PluginEvents, SubscribeOptions } from '@xcore/sdk'
import type { Engine, Subscription, SubscriptionRegistry } from '../../../engine/port.ts'
import { XCoreError, messageOf } from '../../../errors/index.ts'
import type { PluginName } from '../../../event-log/index.ts'
import { compileGlob, globProblem } from '../../../event-log/glob.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { Permissions } from '../../permissions/permissions.ts'
import { isFunction, isRecord, type PluginFunction } from '../../narrowing.ts'
import { compiled } from './actions.ts'
import { jsonArgument, secondsArgument, stageArgument } from './arguments.ts'
import { originOf, outside } from './running.ts'
import type { PayloadCheck } from './validation.ts'

const DEFAULT_PRIORITY = 50
const MAX_ID_LENGTH = 512
const MAX_EVENT_NAME = 255

export interface EventsOptions {
  readonly plugin: PluginName
  readonly version: string
  readonly maxAttempts: number
  readonly engine: Pick<Engine, 'emit'>
  readonly registry: SubscriptionRegistry
  readonly permissions: Permissions
  readonly logger: Logger
}

interface Entry {
  readonly subscription: Subscription
  readonly handler: PluginFunction
  /** The handler, behind the check of the event's data where there is a schema. */
  readonly run: PluginFunction
  readonly fits: (eventName: string) => boolean
}

/**
 * A plugin's `ctx.events`. Until `publish`, subscriptions are only collected; afterwards each change is told to all processes,
 * in the order in which the plugin made them.
 */
export class TrustedEvents implements PluginEvents {
  readonly #options: EventsOptions
  readonly #entries = new Map<string, Entry>()
  #phase: 'collecting' | 'published' | 'closed' = 'collecting'
  #told: Promise<void> = Promise.resolve()

  constructor(options: EventsOptions) {
    this.#options = options
  }

  /** Makes everything that `onLoad` subscribed known to every process. */
  async publish(): Promise<void> {
    const { plugin, version, registry } = this.#options
    this.#phase = 'published'
    this.#told = registry.replace(plugin, version, this.subscriptions())
    await this.#told
  }

  /** The plugin is gone: nothing more is subscribed. Subscriptions stay known, so that what is emitted meanwhile waits for it. */
  close(): void {
    this.#phase = 'closed'
  }

  subscriptions(): readonly Subscription[] {
    return [...this.#entries.values()].map((entry) => entry.subscription)
  }

  handlerOf(subscription: string): PluginFunction | undefined {
    return this.#entries.get(subscription)?.run
  }

  /** The highest priority among the subscriptions that an event fits; undefined: none. */
  priorityFor(eventName: string): number | undefined {
    const priorities = [...this.#entries.values()].filter((entry) => entry.fits(eventName)).map((entry) => entry.subscription.priority)
    return priorities.length === 0 ? undefined : Math.max(...priorities)
  }

  on(pattern: string, handler: EventHandler, options: SubscribeOptions = {}): EventSubscription {
    return this.#subscribe(pattern, handler, options, false)
  }

  once(pattern: string, handler: EventHandler, options: SubscribeOptions = {}): EventSubscription {
    return this.#subscribe(pattern, handler, options, true)
  }

  async off(target: EventSubscription | string, handler?: EventHandler): Promise<void> {
    const entries =
      typeof target === 'string'
        ? [...this.#entries.values()].filter(
            (entry) => entry.subscription.pattern === target && (handler === undefined || entry.handler === handler),
          )
        : [this.#entries.get(target.id)].filter((entry) => entry !== undefined)
    await Promise.all(entries.map((entry) => this.#end(entry)))
  }

  async emit(name: string, data: unknown = {}, options: EmitOptions = {}): Promise<string> {
    const { plugin, engine, permissions } = this.#options
    const { delaySeconds, idempotencyKey } = options
    if (
      typeof name !== 'string' ||
      name === '' ||
      name.length > MAX_EVENT_NAME ||
      !/^[^\s\u0000-\u001f]+$/u.test(name) ||
      !name.isWellFormed()
    ) {
      throw bad(`events.emit: expected a name of 1 to ${MAX_EVENT_NAME} characters without spaces, found ${shown(name)}`)
    }
    permissions.check(`events:${name}`, 'emit')
    const request = {
      name,
      data: jsonArgument(data, `data of the event ${name}`),
      source: `xcore://plugins/${plugin}`,
      ...(delaySeconds === undefined ? {} : { delaySeconds: secondsArgument('delaySeconds', delaySeconds) }),
      ...(idempotencyKey === undefined ? {} : { externalId: idempotencyKey }),
      ...originOf(plugin, `the event ${name}`),
    }
    if (options.tx !== undefined) {
      const stage = stageArgument(options.tx)
      return outside(() => stage.emit(request))
    }
    const { eventId } = await outside(() => engine.emit(request))
    return eventId
  }

  #subscribe(pattern: string, handler: EventHandler, options: SubscribeOptions, once: boolean): EventSubscription {
    const { plugin, maxAttempts } = this.#options
    const priority = options.priority ?? DEFAULT_PRIORITY
    if (this.#phase === 'closed') throw new XCoreError('not_ready', `events.on: plugin ${plugin} is unloaded; subscribe in onLoad`)
    if (typeof pattern !== 'string') throw bad(`events.on: expected a pattern such as 'user.*', found ${shown(pattern)}`)
    const problem = globProblem(pattern)
    if (problem !== undefined || pattern.includes('\u0000'))
      throw bad(`events.on: pattern ${shown(pattern)}: ${problem ?? 'expected no U+0000'}`)
    if (!isFunction(handler)) throw bad(`events.on: expected a function as handler of ${pattern}, found ${shown(handler)}`)
    if (!Number.isInteger(priority) || priority < 0 || priority > 100) {
      throw bad(`events.on: expected a whole number from 0 to 100 as priority of ${pattern}, found ${shown(priority)}`)
    }
    this.#options.permissions.check(`events:${pattern}`, 'subscribe')
    const id = this.#freeId(pattern, handler, options.id)
    const subscription = { plugin, id, pattern, priority, once, maxAttempts }
    const entry: Entry = { subscription, handler, run: checkedHandler(pattern, handler, options.schema), fits: compileGlob(pattern) }
    this.#entries.set(id, entry)
    const ready = this.#tell(
      () => this.#options.registry.add(entry.subscription),
      () => this.#entries.delete(id),
    )
    return { id, pattern, priority, once, ready, off: () => this.#end(entry) }
  }

  #freeId(pattern: string, handler: PluginFunction, wished: string | undefined): string {
    if (wished !== undefined) {
      if (typeof wished !== 'string' || wished === '' || wished.length > MAX_ID_LENGTH || wished.includes('\u0000')) {
        throw bad(`events.on: expected an id of 1 to ${MAX_ID_LENGTH} characters, found ${shown(wished)}`)
      }
      if (this.#entries.has(wished))
        throw bad(`events.on: the id ${wished} is taken by another subscription of this plugin; give each its own`)
      return wished
    }
    // The same after a restart and in every process, as long as the plugin subscribes in the same order.
    const stem = `${pattern}#${handler.name.replace(/^bound /, '') || 'anonymous'}`
    let ordinal = 1
    while (this.#entries.has(`${stem}#${ordinal}`)) ordinal += 1
    return `${stem}#${ordinal}`
  }

  async #end(entry: Entry): Promise<void> {
    const { id, plugin } = entry.subscription
    if (this.#entries.get(id) !== entry) return
    this.#entries.delete(id)
    await this.#tell(() => this.#options.registry.remove(plugin, id))
  }

  // A caller need not await what comes of it, so a failure is logged as well.
  #tell(change: () => Promise<void>, undo?: () => void): Promise<void> {
    if (this.#phase !== 'published') return Promise.resolve()
    const done = outside(() => this.#told.catch(() => {}).then(change))
    this.#told = done
    done.catch((thrown: unknown) => {
      undo?.()
      this.#options.logger.error({ err: thrown }, `a change of the subscriptions could not be stored: ${messageOf(thrown)}`)
    })
    return done
  }
}

/** Data that does not fit ends the delivery: no retry would mend it. */
function checkedHandler(pattern: string, handler: PluginFunction, schema: unknown): PluginFunction {
  if (schema === undefined) return handler
  const check = checkOf(pattern, schema)
  return function checked(event, job) {
    const data = isRecord(event) ? event['data'] : undefined
    const issues = check(data)
    if (issues.length === 0) return handler.call(this, event, job)
    const details = issues.map(({ path, message }) => ({ path, message }))
    const [first] = details
    return error(`the event's data does not fit the subscription to ${pattern}: ${first?.path ?? ''} ${first?.message ?? ''}`, {
      code: 'validation_error',
      details,
    })
  }
}

function checkOf(pattern: string, schema: unknown): PayloadCheck {
  try {
    return compiled(`the schema of ${pattern}`, schema, '/data')
  } catch (thrown) {
    throw bad(`events.on: ${messageOf(thrown)}`)
  }
}

function bad(message: string): XCoreError {
  return new XCoreError('bad_request', message)
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : typeof value === 'number' ? String(value) : typeof value
}
