import { Type } from 'typebox'
import { XCoreError, messageOf } from '../../../../errors/index.ts'
import { isFunction, isRecord } from '../../../narrowing.ts'
import { fromRich, toRich } from '../wire/rich.ts'
import { MAX_FRAME_BYTES } from '../wire/framing.ts'
import { SERVICE_METHODS } from '../wire/services.ts'
import { operation } from './calls.ts'
import type { Operation } from './calls.ts'
import { Turns } from './turns.ts'

const Call = Type.Object(
  { service: Type.String({ maxLength: 64 }), method: Type.String({ maxLength: 64 }), args: Type.Array(Type.Unknown(), { maxItems: 8 }) },
  { additionalProperties: false },
)

/** Each may bring a value of a megabyte or more into the memory of the host. */
const AT_ONCE = 32
/** The cache itself refuses more. */
const MAX_KEYS = 1_000
/** Keys of `mget` that are asked for at once. */
const KEYS_AT_ONCE = 8

/** Services of the host for a sandboxed plugin: the very objects that a trusted plugin gets, one method call at a time. */
export function serviceOperation(getService: (name: string) => unknown): Operation {
  const turns = new Turns(AT_ONCE)
  return operation('getService', Call, async ({ service, method, args }) => {
    const methods = Object.hasOwn(SERVICE_METHODS, service) ? SERVICE_METHODS[service] : undefined
    if (methods?.includes(method) !== true)
      throw new XCoreError('service_unknown', `getService: a sandboxed plugin cannot call ${service}.${method}`)
    const instance = getService(service)
    const called: unknown = typeof instance === 'object' && instance !== null ? Reflect.get(instance, method) : undefined
    if (!isFunction(called)) throw new XCoreError('service_unknown', `getService: the service ${service} of this host has no ${method}`)
    const given = decoded(args, `${service}.${method}`)
    const ask = async (...asked: readonly unknown[]): Promise<unknown> => Reflect.apply(called, instance, [...asked])
    const [keys] = given
    const paged = service === 'cache' && method === 'mget' && Array.isArray(keys) && keys.length <= MAX_KEYS
    return toRich(await turns.run(() => (paged ? inPages(keys, ask) : ask(...given))))
  })
}

/** A thousand values of a megabyte would be held at once: stops at what fits in an answer. */
async function inPages(keys: readonly unknown[], ask: (keys: readonly unknown[]) => Promise<unknown>): Promise<unknown> {
  const wanted = [...new Set(keys)]
  const all: [string, unknown][] = []
  let size = 0
  for (let at = 0; at === 0 || at < wanted.length; at += KEYS_AT_ONCE) {
    const page = await ask(wanted.slice(at, at + KEYS_AT_ONCE))
    size += JSON.stringify(page).length
    if (size > MAX_FRAME_BYTES) throw new XCoreError('payload_too_large', 'cache.mget: the values are larger than 8 MiB; ask in parts')
    if (isRecord(page)) all.push(...Object.entries(page))
  }
  // fromEntries defines its members: a key such as `__proto__` is one like any other.
  return Object.fromEntries(all)
}

export function decoded(args: readonly unknown[], what: string): readonly unknown[] {
  try {
    return args.map((arg) => fromRich(arg))
  } catch (thrown) {
    throw new XCoreError('bad_request', `${what}: ${messageOf(thrown)}`)
  }
}
