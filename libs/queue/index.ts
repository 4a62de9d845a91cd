export type { Claim, Queue, QueueDepth, QueueEntry, QueueFilter, RetryEntry } from './port.ts'
