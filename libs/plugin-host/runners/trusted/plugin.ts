import type { EventMessage, TrustedBase } from '@xcore/sdk'
import type { Middleware } from 'koa'
import type { Acceptance, HandlerResult, Invocation } from '../../../engine/plugin-port.ts'
import type { Subscription } from '../../../engine/port.ts'
import { XCoreError, messageOf } from '../../../errors/index.ts'
import type { Job, PluginName } from '../../../event-log/index.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import { withDeadline } from '../../deadline.ts'
import type { Hook } from '../../hooks/hook.ts'
import type { HookBook } from '../../hooks/hook-book.ts'
import type { RouteInfo } from '../../port.ts'
import type { Departure, LoadedPlugin, PluginSource } from '../../runner.ts'
import { isFunction, isRecord } from '../../narrowing.ts'
import type { DeclaredAction } from './actions.ts'
import type { TrustedEvents } from './events.ts'
import { TrustedJobContext } from './job-context.ts'
import { AttemptTransaction } from './job-transaction.ts'
import { refused, returned, threw } from './outcome.ts'
import { inHook, running, type Running } from './running.ts'
import { selfOf } from './self.ts'
import type { TrustedSchedules } from './schedules.ts'
import { anyObject } from './validation.ts'

export interface TrustedPluginParts {
  readonly source: PluginSource
  readonly instance: TrustedBase
  readonly actions: ReadonlyMap<string, DeclaredAction>
  readonly events: TrustedEvents
  readonly hooks: HookBook
  readonly schedules: TrustedSchedules
  readonly middleware: Middleware | null
  readonly routes: readonly RouteInfo[]
  /** Aborted when the plugin is unloaded. */
  readonly gone: AbortController
}

type Handling =
  | { readonly found: true; readonly run: (context: TrustedJobContext) => unknown }
  | { readonly found: false; readonly result: HandlerResult }

/** A trusted plugin that has loaded. */
export class TrustedPlugin implements LoadedPlugin {
  readonly #parts: TrustedPluginParts
  /** Whether actions that are not declared go to `handle`. */
  readonly freeForm: boolean
  readonly actions: LoadedPlugin['actions']
  readonly routes: readonly RouteInfo[]
  readonly middleware: Middleware | null

  constructor(parts: TrustedPluginParts) {
    this.#parts = parts
    this.freeForm = isFunction(parts.instance.handle)
    this.middleware = parts.middleware
    this.routes = parts.routes
    this.actions = [...parts.actions.values()].map(({ name, input, output, description }) => ({
      name,
      input,
      output,
      ...(description === undefined ? {} : { description }),
    }))
  }

  get name(): PluginName {
    return this.#parts.source.manifest.name
  }
  get logger(): Logger {
    return this.#parts.source.logger
  }

  subscriptions(): readonly Subscription[] {
    return this.#parts.events.subscriptions()
  }

  hooks(): readonly Hook[] {
    return this.#parts.hooks.hooks
  }

  accepts(action: string, payload: unknown): Acceptance {
    const declared = this.#parts.actions.get(action)
    if (declared === undefined && !this.freeForm) return { ok: false, reason: 'unknown' }
    const issues = (declared?.check ?? anyObject)(payload)
    return issues.length === 0 ? { ok: true } : { ok: false, reason: 'invalid', issues }
  }

  async execute(invocation: Invocation): Promise<HandlerResult> {
    const { job, deadline, signal } = invocation
    const transaction = new AttemptTransaction(this.#parts.source.begin, signal)
    const context = new TrustedJobContext(invocation, this.#parts.source.logger, transaction)
    const current: Running = {
      plugin: job.plugin,
      job,
      traceparent: job.meta.traceparent,
      deadline,
      signal,
      permissions: this.#parts.source.permissions,
      whileWaiting: invocation.whileWaiting,
      get logger() {
        return context.logger
      },
    }
    return running.run(current, async () => {
      const handling = this.#handling(job)
      if (!handling.found) return handling.result
      try {
        return await transaction.conclude(returned(await handling.run(context)))
      } catch (thrown) {
        await transaction.abandon()
        return threw(thrown)
      }
    })
  }

  async publish(): Promise<void> {
    await this.#parts.schedules.publish()
    await this.#parts.events.publish()
  }

  handOver(): Promise<unknown> {
    const { source, instance } = this.#parts
    return running.run(inHook(source.manifest.name, source.logger, source.permissions), () =>
      withDeadline(source.deadlines.reload, 'onReload', () => instance.onReload()),
    )
  }

  retire(): void {
    this.#parts.events.close()
    this.#parts.schedules.close()
  }

  async unload(why: Departure): Promise<void> {
    const { source, instance, gone } = this.#parts
    this.retire()
    try {
      await running.run(inHook(source.manifest.name, source.logger, source.permissions), () =>
        withDeadline(source.deadlines.unload, 'onUnload', () => instance.onUnload()),
      )
    } catch (thrown) {
      throw new XCoreError('plugin_unload_failed', `onUnload of plugin ${source.manifest.name} failed: ${messageOf(thrown)}`, {
        cause: thrown,
      })
    } finally {
      gone.abort(new DOMException(why, 'AbortError'))
    }
  }

  #handling(job: Job): Handling {
    switch (job.kind) {
      case 'action':
        return this.#action(job)
      case 'event':
        return this.#event(job)
      case 'schedule':
        return this.#schedule(job)
    }
  }

  #action(job: Job): Handling {
    const { instance, actions } = this.#parts
    const declared = actions.get(job.name)
    const { handle } = instance
    if (declared === undefined && handle === undefined) return missing(job, `the action ${job.name}`)
    // Checked again: the job may be older than the schema, or a replay with another payload.
    const issues = (declared?.check ?? anyObject)(job.payload)
    if (issues.length > 0) {
      const message = `the payload does not fit the action ${job.name} any more: ${issues.map((issue) => `${issue.path} ${issue.message}`).join('; ')}`
      return {
        found: false,
        result: refused(
          'validation_error',
          message,
          issues.map(({ path, message }) => ({ path, message })),
        ),
      }
    }
    if (declared !== undefined) return { found: true, run: (context) => declared.handler.call(selfOf(instance), job.payload, context) }
    return { found: true, run: (context) => (isFunction(handle) ? handle.call(instance, job.name, job.payload, context) : undefined) }
  }

  #schedule(job: Job): Handling {
    const { instance, schedules } = this.#parts
    const func = schedules.functionOf(job)
    if (func === undefined) return missing(job, `the schedule ${job.name}`)
    const given = isRecord(job.payload) ? job.payload['args'] : undefined
    const args: readonly unknown[] = Array.isArray(given) ? given : []
    return { found: true, run: (context) => func.call(selfOf(instance), ...args, context) }
  }

  #event(job: Job): Handling {
    const { instance, events } = this.#parts
    const delivered = job.meta.event
    const handler = delivered === undefined ? undefined : events.handlerOf(delivered.subscription)
    if (delivered === undefined || handler === undefined)
      return missing(job, `the subscription ${delivered?.subscription ?? '(none)'} to ${job.name}`)
    // The pattern was allowed; what it brings may not be: `allow events:*` after `deny events:salary.*`.
    if (!permits(() => this.#parts.source.permissions.check(`events:${job.name}`, 'subscribe'))) return denied(job)
    const message: EventMessage<unknown> = {
      id: delivered.id,
      name: job.name,
      data: job.payload,
      source: delivered.source,
      time: delivered.time,
      correlationId: job.correlationId,
    }
    return { found: true, run: (context) => handler.call(selfOf(instance), message, context) }
  }
}

function permits(check: () => void): boolean {
  try {
    check()
    return true
  } catch {
    return false
  }
}

function denied(job: Job): Handling {
  return { found: false, result: refused('permission_denied', `plugin ${job.plugin} may not subscribe events:${job.name}`) }
}

function missing(job: Job, what: string): Handling {
  return {
    found: false,
    result: refused('no_handler', `plugin ${job.plugin} has no handler for ${what}; bring it back and replay the job`),
  }
}
