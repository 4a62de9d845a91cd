import type { Subscription } from '../../../../engine/port.ts'
import { XCoreError } from '../../../../errors/index.ts'
import type { ScheduleRequest } from '../../../../services/scheduler/index.ts'
import type { PluginSource } from '../../../runner.ts'
import type { SubscriptionFrame } from '../wire/frames.ts'
import type { Loaded } from './process.ts'

/** Every process keeps all of them in memory, and looks at them for each event. */
const MAX_SUBSCRIPTIONS = 1_000

/** What a sandboxed plugin offers to be called for. Made known to every process when it is published, and from then on as it changes. */
export class SandboxOffer {
  readonly #source: Pick<PluginSource, 'manifest' | 'platform'>
  readonly #subscriptions = new Map<string, Subscription>()
  #loaded: Loaded | null = null
  #schedules: readonly ScheduleRequest[] = []
  #phase: 'collecting' | 'published' | 'retired' = 'collecting'

  constructor(source: Pick<PluginSource, 'manifest' | 'platform'>) {
    this.#source = source
  }

  /** As the plugin was when it last started; null: it never did. */
  get loaded(): Loaded | null {
    return this.#loaded
  }

  get retired(): boolean {
    return this.#phase === 'retired'
  }

  subscriptions(): readonly Subscription[] {
    return [...this.#subscriptions.values()]
  }

  async publish(): Promise<void> {
    const { manifest, platform } = this.#source
    this.#phase = 'published'
    await platform.schedules.replace(manifest.name, this.#schedules)
    await platform.subscriptions.replace(manifest.name, manifest.version, this.subscriptions())
  }

  retire(): void {
    this.#phase = 'retired'
  }

  /** A process has loaded the plugin. */
  async adopt(loaded: Loaded): Promise<void> {
    const { manifest, platform } = this.#source
    const before = this.#loaded === null ? undefined : JSON.stringify(this.#loaded.subscriptions)
    this.#loaded = loaded
    if (before === JSON.stringify(loaded.subscriptions)) return
    this.#subscriptions.clear()
    for (const told of loaded.subscriptions) this.#subscriptions.set(told.id, this.#subscription(told))
    if (this.#phase === 'published') await platform.subscriptions.replace(manifest.name, manifest.version, this.subscriptions())
  }

  /** What `onLoad` scheduled. */
  async schedule(schedules: readonly ScheduleRequest[]): Promise<void> {
    const changed = JSON.stringify(schedules) !== JSON.stringify(this.#schedules)
    this.#schedules = schedules
    const { manifest, platform } = this.#source
    if (changed && this.#phase === 'published') await platform.schedules.replace(manifest.name, schedules)
  }

  async subscribe(told: SubscriptionFrame): Promise<void> {
    if (this.#phase === 'retired') throw new XCoreError('not_ready', 'events.on: the plugin is unloaded; subscribe in onLoad')
    if (this.#subscriptions.size >= MAX_SUBSCRIPTIONS && !this.#subscriptions.has(told.id)) {
      const { name } = this.#source.manifest
      throw new XCoreError(
        'bad_request',
        `events.on: expected at most ${MAX_SUBSCRIPTIONS} subscriptions of plugin ${name}, found one more`,
      )
    }
    const subscription = this.#subscription(told)
    this.#subscriptions.set(subscription.id, subscription)
    if (this.#phase === 'published') await this.#source.platform.subscriptions.add(subscription)
  }

  async unsubscribe(id: string): Promise<void> {
    if (!this.#subscriptions.delete(id) || this.#phase !== 'published') return
    await this.#source.platform.subscriptions.remove(this.#source.manifest.name, id)
  }

  #subscription({ id, pattern, priority, once }: SubscriptionFrame): Subscription {
    const { name, runtime } = this.#source.manifest
    return { plugin: name, id, pattern, priority, once, maxAttempts: runtime.retry.maxAttempts }
  }
}
