import type { PluginName } from '../../event-log/ids.ts'
import type { Taken } from './plugin-queue.ts'

export interface HeldByToken extends Taken {
  readonly token: string
}

/** Jobs that nobody has asked for within this time go back on the queue. */
const KEEP_MS = 100

/**
 * Jobs that came with acknowledgements and wait for the next claim. BullMQ's command that takes a job off can hand out the next one,
 * which under load saves the commands of the claims; a claim follows when the acknowledged jobs' slots are free, within a millisecond.
 */
export class Prefetched {
  readonly #jobs = new Map<PluginName, HeldByToken[]>()
  readonly #timers = new Map<PluginName, NodeJS.Timeout>()
  readonly #giveBack: (plugin: PluginName, jobs: readonly HeldByToken[]) => Promise<void>

  /** `giveBack` gets what nobody claimed; it never rejects. */
  constructor(giveBack: (plugin: PluginName, jobs: readonly HeldByToken[]) => Promise<void>) {
    this.#giveBack = giveBack
  }

  add(plugin: PluginName, jobs: readonly HeldByToken[]): void {
    if (jobs.length === 0) return
    this.#jobs.set(plugin, [...(this.#jobs.get(plugin) ?? []), ...jobs])
    clearTimeout(this.#timers.get(plugin))
    this.#timers.set(
      plugin,
      setTimeout(() => void this.#return(plugin), KEEP_MS),
    )
  }

  take(plugin: PluginName, limit: number): HeldByToken[] {
    return this.#jobs.get(plugin)?.splice(0, limit) ?? []
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#jobs.keys()].map((plugin) => this.#return(plugin)))
  }

  async #return(plugin: PluginName): Promise<void> {
    clearTimeout(this.#timers.get(plugin))
    const left = this.take(plugin, Infinity)
    if (left.length > 0) await this.#giveBack(plugin, left)
  }
}
