import { isTerminal } from '../../event-log/index.ts'
import type { JobId, StoredState } from '../../event-log/index.ts'
import type { KnownSubscription } from '../subscriptions.ts'
import { receiverOf } from './classify.ts'
import type { LeftOut, Receivers } from './port.ts'

/** The last delivery of an event to one subscription. */
export interface Delivered {
  readonly jobId: JobId
  readonly plugin: string
  readonly subscription: string
  readonly state: StoredState
}

export interface DeliveryChoice {
  readonly deliver: readonly { readonly subscription: KnownSubscription; readonly last: JobId | null }[]
  readonly leftOut: readonly { readonly plugin: string; readonly subscription: string; readonly reason: LeftOut }[]
}

export interface ChooseOptions {
  readonly to: Receivers
  /** Whether who had it with success gets it again: by name yes, in a backfill no. */
  readonly again: boolean
}

/**
 * Who gets an event again, of those whose pattern fits it now and those it was delivered to. Pure.
 * Subscriptions for one event only (`once`) are not spent on an old one, unless named.
 */
export function chooseReceivers(
  fitting: readonly KnownSubscription[],
  delivered: ReadonlyMap<string, Delivered>,
  { to, again }: ChooseOptions,
): DeliveryChoice {
  const deliver: DeliveryChoice['deliver'][number][] = []
  const leftOut: DeliveryChoice['leftOut'][number][] = []
  const known = new Set<string>()
  for (const subscription of fitting) {
    const receiver = receiverOf(subscription.plugin, subscription.id)
    known.add(receiver)
    if (!isMeant(subscription, to)) continue
    const last = delivered.get(receiver)
    if (to === 'failed' && (last === undefined || !hasFailed(last))) continue
    const reason = last === undefined ? undefined : obstacle(last, again)
    if (reason === undefined) deliver.push({ subscription, last: last?.jobId ?? null })
    else leftOut.push({ plugin: subscription.plugin, subscription: subscription.id, reason })
  }
  if (to === 'failed') {
    for (const [receiver, last] of delivered) {
      if (hasFailed(last) && !known.has(receiver))
        leftOut.push({ plugin: last.plugin, subscription: last.subscription, reason: 'unhandled' })
    }
  }
  return { deliver, leftOut }
}

function isMeant(subscription: KnownSubscription, to: Receivers): boolean {
  if (to === 'failed') return true
  if (to === 'all') return !subscription.once
  if (to.plugin !== subscription.plugin) return false
  return to.subscription === undefined ? !subscription.once : to.subscription === subscription.id
}

function hasFailed({ state }: Delivered): boolean {
  return state === 'failed' || state === 'dead'
}

function obstacle({ state }: Delivered, again: boolean): LeftOut | undefined {
  if (!isTerminal(state)) return 'under_way'
  return state === 'succeeded' && !again ? 'already_succeeded' : undefined
}
