import { faultOf } from './answers.ts'
import { duration } from './format.ts'
import { numberOrNull, textOf, textOrNull, type Fields } from './read.ts'
import type { Tone } from './tone.ts'

/** One line of a job's story. */
export interface Moment {
  /** When it happened, ISO 8601. */
  readonly at: string
  /** The job it tells of: this one, or a replay of it. */
  readonly jobId: string
  readonly tone: Tone
  readonly title: string
  readonly code: string | null
  readonly message: string | null
  /** Who, where, how long. */
  readonly facts: readonly string[]
  readonly position: string
}

/**
 * The rows of the log as a story, in their order; a type that this console does not know is shown by its name.
 * `clockOf` writes a time of the log for people.
 */
export function timelineOf(events: readonly Fields[], clockOf: (time: string) => string): readonly Moment[] {
  return events.map((event): Moment => {
    const error = faultOf(event['error'])
    return {
      at: textOrNull(event['finished_at']) ?? textOrNull(event['found_at']) ?? textOf(event['recorded_at']),
      jobId: textOf(event['job_id']),
      position: textOf(event['position']),
      ...headline(event),
      code: error?.code ?? null,
      message: error?.message ?? null,
      facts: factsOf(event, clockOf),
    }
  })
}

function headline(event: Fields): Pick<Moment, 'tone' | 'title'> {
  const type = textOf(event['type'])
  const attempt = numberOrNull(event['attempt'])
  const nth = attempt === null ? '' : ` ${attempt}`
  switch (type) {
    case 'job.requested':
      return { tone: 'quiet', title: textOrNull(event['replay_of']) === null ? 'Requested' : 'Requested as a replay' }
    case 'job.succeeded':
      return { tone: 'good', title: `Attempt${nth} succeeded` }
    case 'job.attempt_failed':
      return { tone: textOrNull(event['retry_at']) === null ? 'bad' : 'warn', title: `Attempt${nth} failed` }
    case 'job.attempt_lost':
      return { tone: 'warn', title: `Attempt${nth} lost: its worker stopped answering` }
    case 'job.attempt_interrupted':
      return { tone: 'warn', title: `Attempt${nth} interrupted: it begins again` }
    case 'job.failed':
      return { tone: 'bad', title: `Attempt${nth} returned a final error` }
    case 'job.dead':
      return { tone: 'bad', title: 'Dead: its attempts are used up' }
    case 'job.cancelled':
      return { tone: 'quiet', title: 'Cancelled' }
    case 'job.payload_edited':
      return { tone: 'quiet', title: 'Payload edited for this replay' }
    case 'permission.denied':
      return { tone: 'bad', title: `Denied: ${textOf(event['verb'])} ${textOf(event['resource'])}` }
    case 'event.emitted':
      return { tone: 'quiet', title: `Event ${textOf(event['name'])} emitted` }
    case 'replay.requested':
      return { tone: 'quiet', title: 'Replay asked for' }
    default:
      return { tone: 'quiet', title: type || 'Unknown entry' }
  }
}

function factsOf(event: Fields, clockOf: (time: string) => string): readonly string[] {
  const time = (value: unknown): string | null => {
    const text = textOrNull(value)
    return text === null ? null : clockOf(text)
  }
  const seconds = numberOrNull(event['duration_seconds'])
  const told: readonly (readonly [string, string | null])[] = [
    ['took', seconds === null ? null : duration(seconds)],
    ['worker', textOrNull(event['worker'])],
    ['version', textOrNull(event['plugin_version'])],
    ['by', textOrNull(event['actor'])],
    ['source', textOrNull(event['source'])],
    ['reason', textOrNull(event['reason'])],
    ['next try at', time(event['retry_at'])],
    ['not before', time(event['run_at'])],
  ]
  return told.flatMap(([name, value]) => (value === null ? [] : [`${name} ${value}`]))
}
