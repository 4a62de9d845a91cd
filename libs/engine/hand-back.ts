import type { Queue, RetryEntry } from '../queue/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Consumer } from './consumer.ts'
import { release } from './release.ts'

/**
 * Ends consumers: they claim no more; what runs is waited for, and after `deadlineMs` handed back to the queue without spending an
 * attempt. Resolves when nothing of theirs is left but what can't be recorded.
 */
export async function handBack(consumers: readonly Consumer[], deadlineMs: number, queue: Queue, logger: Logger): Promise<void> {
  for (const consumer of consumers) consumer.pause()
  await within(deadlineMs, Promise.all(consumers.map((consumer) => consumer.drained())))
  const left = consumers.flatMap((consumer) => consumer.held())
  for (const run of left) run.abort('shutdown')
  const ends = await Promise.all(left.map(async (run) => ({ run, how: await run.ended })))
  const entries = ends
    .filter(({ how }) => how === 'hand back')
    .map(({ run }): RetryEntry => ({ claim: run.claim, priority: run.job.priority, runAt: new Date() }))
  if (entries.length > 0) {
    logger.info({ jobs: entries.length }, 'jobs that still ran are handed back; no attempt is spent')
    await release(queue, entries, logger)
  }
  // What is over may still wait to be recorded; the settler gives up by itself only when it is stopped.
  await within(Math.max(1000, deadlineMs / 2), Promise.all(ends.filter(({ how }) => how === 'settling').map(({ run }) => run.over)))
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([work.then(() => undefined), promise])
  clearTimeout(timer)
}
