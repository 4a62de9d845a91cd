import type { Router } from '@koa/router'
import type { Logger } from 'pino'
import type { Actions } from './action.ts'
import type { CallOptions, CallResult, EnqueueOptions, JobContext, Payload, PluginContext, Services } from './context.ts'
import { checkedFetch } from './fetch.ts'
import type { ActionResult } from './results.ts'

/** What the host puts behind a plugin instance. */
export interface Attachment {
  readonly ctx: PluginContext
  readonly previousState: unknown
  getService(name: string): unknown
  callPlugin(plugin: string, action: string, payload: unknown, options: CallOptions): Promise<CallResult>
  enqueue(plugin: string, action: string, payload: unknown, options: EnqueueOptions): Promise<string>
}

const attachments = new WeakMap<object, Attachment>()

/** For the host only: gives an instance its context, between constructor and `onLoad`. */
export function attach(instance: object, attachment: Attachment): void {
  attachments.set(instance, attachment)
}

function attachmentOf(instance: TrustedBase, member: string): Attachment {
  const attachment = attachments.get(instance)
  if (attachment === undefined) {
    throw new Error(
      `this.${member} is not there yet in the constructor and in field initialisers of ${instance.constructor.name}; use it in onLoad or later`,
    )
  }
  return attachment
}

/**
 * The class that a plugin's entry file exports as default extends it. All hooks and handlers may be async.
 * Everything besides `actions` and the overridden methods is there from `onLoad` on.
 */
export abstract class TrustedBase {
  /** Declared actions, made by `action()`. */
  readonly actions: Actions = {}

  /** Called for actions that are not declared. Without it those are refused with `unknown_action`. */
  handle?(name: string, payload: Payload, job: JobContext): ActionResult | Promise<ActionResult>
  /** Routes to mount at /plugins/{name}. Called once, after `onLoad`. */
  getRouter?(): Router

  /** Subscribes and opens what the plugin needs. Throwing or taking longer than 30 s refuses the plugin. */
  onLoad(): void | Promise<void> {}
  /** Closes what `onLoad` opened; has 10 s. */
  onUnload(): void | Promise<void> {}
  /** On the old instance at a hot reload; what it returns is the new one's `previousState`. */
  onReload(): unknown {
    return undefined
  }

  get ctx(): PluginContext {
    return attachmentOf(this, 'ctx').ctx
  }

  /** The plugin's logger; inside a job it also carries `job`, `attempt` and `correlation_id`. */
  get logger(): Logger {
    return attachmentOf(this, 'logger').ctx.logger
  }

  /** After a hot reload: what `onReload` of the old instance returned; else undefined. */
  get previousState(): unknown {
    return attachmentOf(this, 'previousState').previousState
  }

  /** Throws XCoreError `service_unknown`, naming the services that are there. */
  getService<Name extends string>(name: Name): Name extends keyof Services ? Services[Name] : unknown
  getService(name: string): unknown {
    return attachmentOf(this, 'getService').getService(name)
  }

  /** The exported `fetch`, for code that runs outside of any handler or hook: `net:<host>` is checked at each hop. */
  fetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const { permissions } = this.ctx
    return checkedFetch((resource, verb) => permissions.check(resource, verb), input, init)
  }

  /**
   * Runs an action of another plugin as a durable job and waits for its result. What went wrong there, or that it has no such
   * action, is an error result. Throws XCoreError `timeout` when it is not done in time (the job goes on), `loop_detected` past
   * 32 calls in a chain, `bad_request` for a payload that is not JSON, and what else `submit` throws.
   */
  callPlugin(plugin: string, action: string, payload: unknown = {}, options: CallOptions = {}): Promise<CallResult> {
    return attachmentOf(this, 'callPlugin').callPlugin(plugin, action, payload, options)
  }

  /**
   * Puts an action of another plugin (or of this one) on the queue. Resolves with the job's id once it is committed.
   * Throws XCoreError `not_found`, `unknown_action`, `validation_error`, `idempotency_mismatch`, `loop_detected`, `bad_request`.
   */
  enqueue(plugin: string, action: string, payload: unknown = {}, options: EnqueueOptions = {}): Promise<string> {
    return attachmentOf(this, 'enqueue').enqueue(plugin, action, payload, options)
  }
}
