import type { Invocation, HandlerResult } from '../engine/plugin-port.ts'
import type { Manifest } from '../manifest/index.ts'
import type { PluginRoutes } from './port.ts'
import type { Departure, LoadedPlugin } from './runner.ts'

/** After its deadline a handler is given up by the engine; what still runs then is waited for no longer. */
const GRACE_MS = 1_000

/** One load of a plugin, with what runs on it: it is let go only when that has come to its end. */
export class Instance {
  readonly loaded: LoadedPlugin
  readonly manifest: Manifest
  /** When each running handler or request is given up at the latest, in milliseconds since the epoch. */
  readonly #running = new Set<{ readonly until: number }>()
  readonly #idle: (() => void)[] = []

  constructor(loaded: LoadedPlugin, manifest: Manifest) {
    this.loaded = loaded
    this.manifest = manifest
  }

  execute(invocation: Invocation): Promise<HandlerResult> {
    return this.#tracked(invocation.deadline.getTime(), () => this.loaded.execute(invocation))
  }

  routes(): PluginRoutes | undefined {
    const { middleware } = this.loaded
    if (middleware === null) return undefined
    const { name, http, resources } = this.manifest
    return {
      plugin: name,
      authRequired: http.auth === 'required',
      timeoutSeconds: resources.timeoutSeconds,
      rateLimit: resources.rateLimit,
      middleware: (ctx, next) =>
        this.#tracked(Date.now() + resources.timeoutSeconds * 1000, async () => {
          await middleware(ctx, next)
        }),
    }
  }

  /** Waits until nothing runs on it, or what runs is given up or `hurry` aborts; then runs `onUnload`. Rejects as `LoadedPlugin.unload` does. */
  async leave(why: Departure, hurry: AbortSignal): Promise<void> {
    this.loaded.retire()
    await this.#drained(hurry)
    await this.loaded.unload(why)
  }

  #drained(hurry: AbortSignal): Promise<void> {
    if (this.#running.size === 0 || hurry.aborted) return Promise.resolve()
    const last = Math.max(...[...this.#running].map(({ until }) => until)) + GRACE_MS - Date.now()
    return new Promise((resolve) => {
      const timer = setTimeout(done, Math.min(Math.max(0, last), 2 ** 31 - 1))
      function done(): void {
        clearTimeout(timer)
        hurry.removeEventListener('abort', done)
        resolve()
      }
      hurry.addEventListener('abort', done, { once: true })
      this.#idle.push(done)
    })
  }

  async #tracked<T>(until: number, work: () => Promise<T>): Promise<T> {
    const run = { until }
    this.#running.add(run)
    try {
      return await work()
    } finally {
      this.#running.delete(run)
      if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
    }
  }
}
