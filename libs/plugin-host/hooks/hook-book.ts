import type { HookOptions, HookSubscription, PluginHooks } from '@xcore/sdk'
import type { Invocation } from '../../engine/plugin-port.ts'
import { XCoreError } from '../../errors/index.ts'
import { compileGlob, globProblem } from '../../event-log/glob.ts'
import type { PluginName } from '../../event-log/index.ts'
import { withDeadline } from '../deadline.ts'
import { isFunction, type PluginFunction } from '../narrowing.ts'
import type { Permissions } from '../permissions/permissions.ts'
import type { Hook } from './hook.ts'

const DEFAULT_PRIORITY = 50

export interface HookBookOptions {
  readonly plugin: PluginName
  readonly permissions: Permissions
  /** Milliseconds that an interceptor has. */
  readonly deadline: number
  /** Runs a function of the plugin in its own context, for a job of another. */
  readonly run: (invocation: Invocation, work: () => unknown) => unknown
}

/** A plugin's `ctx.hooks`. They stand only while its instance serves, so a reload swaps them together with everything else. */
export class HookBook implements PluginHooks {
  readonly #options: HookBookOptions
  #hooks: readonly Hook[] = []
  #self: object | undefined

  constructor(options: HookBookOptions) {
    this.#options = options
  }

  /** Whose methods the hooks are. */
  bindTo(instance: object): void {
    this.#self = instance
  }

  /** By priority, then in the order they were made. */
  get hooks(): readonly Hook[] {
    return this.#hooks
  }

  before(target: string, handler: unknown, options: HookOptions = {}): HookSubscription {
    return this.#add('before', target, handler, options)
  }

  after(target: string, handler: unknown, options: HookOptions = {}): HookSubscription {
    return this.#add('after', target, handler, options)
  }

  #add(phase: Hook['phase'], target: string, handler: unknown, { priority = DEFAULT_PRIORITY }: HookOptions): HookSubscription {
    const { plugin, permissions } = this.#options
    const where = `hooks.${phase}`
    const dot = typeof target === 'string' ? target.indexOf('.') : -1
    if (dot < 1) throw bad(`${where}: expected plugin.action, or globs of both such as 'orders.*', found ${shown(target)}`)
    const problem = globProblem(target)
    if (problem !== undefined) throw bad(`${where}: ${shown(target)}: ${problem}`)
    if (!isFunction(handler)) throw bad(`${where}: expected a function for ${target}, found ${typeof handler}`)
    if (!Number.isInteger(priority) || priority < 0 || priority > 100) {
      throw bad(`${where}: expected a whole number from 0 to 100 as priority of ${target}, found ${shown(priority)}`)
    }
    const whose = target.slice(0, dot)
    if (whose !== plugin) permissions.check(`plugin:${whose}`, 'write')
    const hook = this.#hook(phase, target, handler, priority)
    this.#hooks = [...this.#hooks, hook].toSorted((a, b) => a.priority - b.priority)
    return { target, priority, off: () => void (this.#hooks = this.#hooks.filter((each) => each !== hook)) }
  }

  #hook(phase: Hook['phase'], target: string, handler: PluginFunction, priority: number): Hook {
    const { plugin: owner, permissions, deadline, run } = this.#options
    const matches = compileGlob(target)
    return {
      phase,
      owner,
      priority,
      // `*.create` was allowed as it stands; which plugins it may reach is decided for each.
      fits: (plugin, action) => matches(`${plugin}.${action}`) && (plugin === owner || permissions.allows(`plugin:${plugin}`, 'write')),
      call: (call, invocation) =>
        withDeadline(deadline, `the hook ${phase} ${target} of plugin ${owner}`, async () =>
          run(invocation, () => handler.call(this.#self, call)),
        ),
    }
  }
}

function bad(message: string): XCoreError {
  return new XCoreError('bad_request', message)
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : typeof value === 'number' ? String(value) : typeof value
}
