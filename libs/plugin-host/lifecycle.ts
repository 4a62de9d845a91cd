import type { PluginState } from './port.ts'

/**
 *   discovered ─load─► loading ─loaded─► ready ─drain─► draining ─unloaded─► unloaded
 *        └──fail──► failed ◄──fail──┴───────fail──────────┘
 *
 * `load` also starts again from `unloaded` and `failed`. A hot reload happens within `ready`. What an operator has unloaded goes from
 * `discovered` to `unloaded` when the process starts.
 */
export type LifecycleEvent = 'load' | 'loaded' | 'drain' | 'unloaded' | 'fail'

const TRANSITIONS: Readonly<Record<PluginState, Partial<Record<LifecycleEvent, PluginState>>>> = {
  discovered: { load: 'loading', fail: 'failed', unloaded: 'unloaded' },
  loading: { loaded: 'ready', fail: 'failed' },
  ready: { drain: 'draining', fail: 'failed' },
  draining: { unloaded: 'unloaded', fail: 'failed' },
  unloaded: { load: 'loading' },
  failed: { load: 'loading' },
}

/** The state after an event; undefined: the event has no place in this state. Pure. */
export function transition(state: PluginState, event: LifecycleEvent): PluginState | undefined {
  return TRANSITIONS[state][event]
}
