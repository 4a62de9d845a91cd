import { take } from '../../engine/rate-tokens/gcra.ts'
import { eventId, type Job, type PluginName } from '../../event-log/index.ts'
import { recordDenials, type DenialRow } from '../../event-log/record-denials.ts'
import type { Sql } from '../../postgres/sql.ts'
import type { Logger, Metrics } from '../../telemetry/index.ts'
import type { Denial } from './permissions.ts'

/** A denied check with who asked. */
export interface AskedDenial extends Denial {
  readonly plugin: PluginName
  /** The job that asked; null: a route or a lifecycle hook did. */
  readonly job: Pick<Job, 'id' | 'correlationId'> | null
}

export interface DenialLog {
  /** Counts it, and logs and keeps it within the limit. Never throws. */
  record(denial: AskedDenial): void
  /** Resolves once what is being written is. */
  drained(): Promise<void>
}

export interface DenialLogOptions {
  readonly database: Sql
  readonly metrics: Pick<Metrics, 'permissionDeniedTotal'>
  readonly logger: Logger
  readonly ids: { uuid(): string }
  readonly now: () => number
}

/** Rows and lines of one plugin in one process: a loop of denied calls must not flood log and disk. Every denial is counted. */
const LIMIT = { calls: 20, periodSeconds: 60 }
const MAX_RESOURCE = 256
const KINDS: readonly string[] = ['db', 'cache', 'plugin', 'events', 'service', 'net', 'fs']

export function createDenialLog(options: DenialLogOptions): DenialLog {
  const { database, metrics, logger } = options
  const spent = new Map<PluginName, { tat: number; suppressed: number }>()
  const writing = new Set<Promise<void>>()

  function write(row: DenialRow): void {
    const done = recordDenials(database, [row])
      .catch((err: unknown) => logger.warn({ err, plugin: row.plugin }, 'a denial could not be kept in the log'))
      .finally(() => writing.delete(done))
    writing.add(done)
  }

  return {
    record({ plugin, resource, verb, job }) {
      metrics.permissionDeniedTotal.inc({ plugin, resource_kind: kindOf(resource) })
      const before = spent.get(plugin) ?? { tat: 0, suppressed: 0 }
      const { granted, tat } = take(LIMIT, before.tat, options.now(), 1)
      if (granted === 0) {
        spent.set(plugin, { tat, suppressed: before.suppressed + 1 })
        return
      }
      spent.set(plugin, { tat, suppressed: 0 })
      const data = {
        resource: resource.slice(0, MAX_RESOURCE).replaceAll('\u0000', '\uFFFD').toWellFormed(),
        verb,
        ...(job === null ? {} : { job: job.id, correlation_id: job.correlationId }),
        ...(before.suppressed === 0 ? {} : { suppressed: before.suppressed }),
      }
      logger.warn({ plugin, ...data }, `permission denied: plugin ${plugin} may not ${verb} ${data.resource}`)
      write({ stream: job?.id ?? eventId(options.ids.uuid()), plugin, data })
    },
    async drained() {
      await Promise.all(writing)
    },
  }
}

function kindOf(resource: string): string {
  const kind = /^[a-z]+/.exec(resource)?.[0] ?? ''
  return KINDS.includes(kind) ? kind : 'other'
}
