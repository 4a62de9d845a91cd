import type { Route } from '../model/address.ts'
import type { Tone } from '../model/tone.ts'
import type { Client } from './client.ts'
import type { Child } from './dom.ts'

/** What a view works with. */
export interface Scene {
  readonly client: Client
  readonly go: (route: Route) => void
  /** Loads and shows the view again, now. */
  readonly refresh: () => void
  /** Tells what came of something that was done. */
  readonly notify: (tone: Tone, text: Child) => void
}

export interface View {
  readonly title: string
  /** False: a form, which is not loaded again by itself. */
  readonly live: boolean
  /** What to show. Throws Refused. `forced`: not by the clock, so nothing old will do. */
  readonly load: (signal: AbortSignal, forced: boolean) => Promise<readonly Node[]>
}

/** Loads at most once in `everyMs`, for what is dear and changes slowly. */
export function slowly<Value>(
  everyMs: number,
  load: (signal: AbortSignal) => Promise<Value>,
): (signal: AbortSignal, forced: boolean) => Promise<Value> {
  let kept: { readonly value: Value; readonly atMs: number } | undefined
  return async (signal, forced) => {
    if (!forced && kept !== undefined && Date.now() - kept.atMs < everyMs) return kept.value
    const value = await load(signal)
    kept = { value, atMs: Date.now() }
    return value
  }
}
