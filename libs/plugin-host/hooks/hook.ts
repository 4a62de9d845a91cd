import type { HookJob } from '@xcore/sdk'
import type { Invocation } from '../../engine/plugin-port.ts'
import type { Json, PluginName } from '../../event-log/index.ts'

/** What an interceptor is told. */
export interface HookCall {
  readonly plugin: string
  readonly action: string
  readonly payload: Json
  readonly job: HookJob
  /** `after` only: `{status: 'ok', …}` or `{status: 'error', msg, code, …}`. */
  readonly result?: Json
}

/** An interceptor of actions, as the host knows it. */
export interface Hook {
  readonly phase: 'before' | 'after'
  /** Whose it is. */
  readonly owner: PluginName
  /** Lower first. */
  readonly priority: number
  /** Whether it stands around `plugin.action`, and its owner may. */
  fits(plugin: string, action: string): boolean
  /** Runs it for its owner, within its deadline. Rejects with what it throws, or XCoreError `timeout`. */
  call(call: HookCall, invocation: Invocation): Promise<unknown>
}
