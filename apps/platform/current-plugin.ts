import { running } from '../../libs/plugin-host/runners/trusted/running.ts'

/**
 * The plugin whose handler or route the current asynchronous context belongs to; undefined outside of them, also in what an
 * `onLoad` left behind. In a handler of `uncaughtException` or `unhandledRejection` it is the context of the error.
 */
export function currentPlugin(): string | undefined {
  const current = running.getStore()
  if (current === undefined) return undefined
  const name: unknown = current.job?.plugin ?? current.logger.bindings()['plugin']
  return typeof name === 'string' ? name : 'unknown'
}
