import type { PluginName } from '../../event-log/ids.ts'
import type { Taken } from './plugin-queue.ts'

/** A claim that waits for acknowledgements to bring it the next jobs. */
export interface Ride {
  readonly wanted: number
  readonly deliver: (taken: readonly HeldByToken[]) => void
}

export interface HeldByToken extends Taken {
  readonly token: string
}

/** A claim that waits longer than this asks by itself: the transaction it waits for may have failed. */
const LONGEST_WAIT_MS = 25

/**
 * Under load, claims ride on acknowledgements: BullMQ's command that takes a job off also hands out the next one, which halves the
 * commands a job costs Redis. A claim waits for that only when the last one found as many jobs as it could take and outcomes are
 * being committed right now; else it asks at once.
 */
export class Rides {
  readonly #waiting = new Map<PluginName, (Ride & { readonly timer: NodeJS.Timeout })[]>()
  readonly #committing = new Map<PluginName, number>()

  /** Outcomes of that many jobs are about to commit. */
  expect(plugin: PluginName, jobs: number): void {
    this.#committing.set(plugin, (this.#committing.get(plugin) ?? 0) + jobs)
  }

  /** They did. */
  arrived(plugin: PluginName, jobs: number): void {
    this.#committing.set(plugin, Math.max(0, (this.#committing.get(plugin) ?? 0) - jobs))
  }

  isExpected(plugin: PluginName): boolean {
    return (this.#committing.get(plugin) ?? 0) > 0
  }

  /** Resolves with what acknowledgements brought; empty: none came in time. */
  wait(plugin: PluginName, wanted: number): Promise<readonly HeldByToken[]> {
    const { promise, resolve } = Promise.withResolvers<readonly HeldByToken[]>()
    const rides = this.#waiting.get(plugin) ?? []
    this.#waiting.set(plugin, rides)
    const timer = setTimeout(() => {
      rides.splice(rides.indexOf(ride), 1)
      // A transaction that failed is not announced, so what was expected may never come.
      this.#committing.set(plugin, 0)
      resolve([])
    }, LONGEST_WAIT_MS)
    const ride = { wanted, deliver: resolve, timer }
    rides.push(ride)
    return promise
  }

  /** Takes the claim that has waited longest; its taker has to deliver. */
  next(plugin: PluginName): Ride | undefined {
    const ride = this.#waiting.get(plugin)?.shift()
    if (ride !== undefined) clearTimeout(ride.timer)
    return ride
  }

  stop(): void {
    for (const plugin of this.#waiting.keys()) for (let ride = this.next(plugin); ride !== undefined; ride = this.next(plugin)) ride.deliver([])
  }
}
