import type { Place } from './contender.ts'

export type Role = 'producer' | 'worker' | 'round-trip' | 'http'

/** What a role process is told on its command line. */
export interface Assignment {
  readonly role: Role
  readonly contender: string
  readonly place: Place
  /** producer: jobs to submit; worker: jobs to expect; round-trip: how many. */
  readonly count: number
}

export type ParentMessage = { readonly kind: 'go' } | { readonly kind: 'collect' } | { readonly kind: 'close' }

export type ChildMessage =
  | { readonly kind: 'ready'; readonly url?: string }
  /** producer: all accepted; worker: all handlers have run; round-trip: all done, with the milliseconds of each. */
  | { readonly kind: 'done'; readonly milliseconds?: readonly number[] }
  /** worker: heap after a collection, and how many handlers had run. */
  | { readonly kind: 'collected'; readonly ran: number; readonly heapBytes: number }
  | { readonly kind: 'failed'; readonly message: string }
