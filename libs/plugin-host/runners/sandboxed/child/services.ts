import type { Cache, CacheOptions } from '@xcore/sdk'
import { XCoreError } from '../../../../errors/index.ts'
import type { ServiceFactory } from '../../../port.ts'
import { fromRich, toRich } from '../wire/rich.ts'
import { SERVICE_METHODS } from '../wire/services.ts'
import { remoteDb } from './transactions.ts'
import type { Remote } from './remote.ts'

type Method = (...args: readonly unknown[]) => Promise<unknown>

/** What `getService` hands out inside: objects whose methods are run by the host. `names`: those that the host has. */
export function remoteServices(remote: Remote, names: readonly string[]): Readonly<Record<string, ServiceFactory>> {
  const services: Record<string, ServiceFactory> = {}
  for (const name of names) {
    if (!Object.hasOwn(SERVICE_METHODS, name)) continue
    const methods = methodsOf(remote, name)
    if (name === 'db') services[name] = () => remoteDb(remote)
    else services[name] = () => (name === 'cache' ? withGetOrSet(methods) : Object.freeze(methods))
  }
  return services
}

function methodsOf(remote: Remote, service: string): Record<string, Method> {
  const methods: Record<string, Method> = {}
  for (const method of SERVICE_METHODS[service] ?? []) {
    methods[method] = async (...args) => fromRich(await remote.call('service', { service, method, args: args.map((arg) => toRich(arg)) }))
  }
  return methods
}

/** What `make` makes can only be made inside. */
function withGetOrSet(methods: Readonly<Record<string, Method>>): object {
  const making = new Map<string, Promise<unknown>>()
  const { mget, set } = methods
  if (mget === undefined || set === undefined) throw new XCoreError('service_unknown', 'the cache of this host lacks a method')
  async function found(key: string, make: () => unknown, options: CacheOptions | undefined): Promise<unknown> {
    const known = await mget?.([key])
    if (typeof known === 'object' && known !== null && Object.hasOwn(known, key)) return Reflect.get(known, key)
    const value = await make()
    await set?.(key, value, options)
    return value
  }
  const getOrSet = (key: string, make: () => unknown, options?: CacheOptions): Promise<unknown> => {
    const before = making.get(key)
    if (before !== undefined) return before
    const made = found(key, make, options).finally(() => making.delete(key))
    making.set(key, made)
    return made
  }
  return Object.freeze({ ...methods, getOrSet } satisfies Record<keyof Pick<Cache, 'getOrSet'>, unknown>)
}
