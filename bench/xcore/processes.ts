import { subscribe } from 'node:diagnostics_channel'
import { composeApi } from '../../apps/api/compose.ts'
import { composeStandalone } from '../../apps/cli/compose.ts'
import { openPlatform } from '../../apps/platform/compose.ts'
import { composeWorker } from '../../apps/worker/compose.ts'
import { EVERYTHING } from '../../libs/engine/index.ts'
import type { Engine } from '../../libs/engine/index.ts'
import type { Closable, Place } from '../harness/contender.ts'
import { settingsFor } from './settings.ts'

const DEADLINE_MS = 5_000

/** Which queue the process is set up with. */
export type Driver = 'pg-boss' | 'bullmq'

/** An engine without HTTP and without a worker: what a producer needs. */
export async function openProducer(place: Place, driver: Driver = 'pg-boss'): Promise<Closable & { readonly engine: Engine }> {
  const { config, logger, signal } = settingsFor(place, driver)
  const stack = new AsyncDisposableStack()
  const { engine } = await openPlatform(stack, { config, databaseUrl: place.databaseUrl, logger, role: 'api', signal })
  return { engine, close: () => stack.disposeAsync() }
}

/** Submits and runs in one process, without HTTP. */
export async function openBoth(place: Place, driver: Driver = 'pg-boss'): Promise<Closable & { readonly engine: Engine }> {
  const { config, logger, signal } = settingsFor(place, driver)
  const stack = new AsyncDisposableStack()
  const { engine } = await openPlatform(stack, { config, databaseUrl: place.databaseUrl, logger, role: 'standalone', signal })
  const consumers = engine.consumers({ groups: [EVERYTHING] })
  stack.defer(() => consumers.stop(DEADLINE_MS))
  await consumers.start()
  return { engine, close: () => stack.disposeAsync() }
}

/** `xcore worker`. */
export async function openWorker(place: Place, ran: () => void, driver: Driver = 'pg-boss'): Promise<Closable> {
  subscribe('xcore.bench.ran', ran)
  const service = await composeWorker({ ...settingsFor(place, driver), selection: EVERYTHING })
  return { close: () => service.stop(DEADLINE_MS) }
}

/** `xcore api`. */
export async function openApi(place: Place, driver: Driver = 'pg-boss'): Promise<Closable & { readonly url: string }> {
  const service = await composeApi(settingsFor(place, driver))
  return { url: `${service.url}/ipc/noop/noop`, close: () => service.stop(DEADLINE_MS) }
}

/** `xcore start`, on the bench's Postgres. */
export async function openStandalone(place: Place, driver: Driver = 'pg-boss'): Promise<Closable & { readonly url: string }> {
  const service = await composeStandalone(settingsFor(place, driver))
  return { url: `${service.url}/ipc/noop/noop`, close: () => service.stop(DEADLINE_MS) }
}
