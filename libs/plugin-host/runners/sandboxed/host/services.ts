import { Type } from 'typebox'
import { XCoreError, messageOf } from '../../../../errors/index.ts'
import { isFunction } from '../../../narrowing.ts'
import { fromRich, toRich } from '../wire/rich.ts'
import { SERVICE_METHODS } from '../wire/services.ts'
import { operation } from './calls.ts'
import type { Operation } from './calls.ts'

const Call = Type.Object(
  { service: Type.String({ maxLength: 64 }), method: Type.String({ maxLength: 64 }), args: Type.Array(Type.Unknown(), { maxItems: 8 }) },
  { additionalProperties: false },
)

/** Services of the host for a sandboxed plugin: the very objects that a trusted plugin gets, one method call at a time. */
export function serviceOperation(getService: (name: string) => unknown): Operation {
  return operation('getService', Call, async ({ service, method, args }) => {
    const methods = Object.hasOwn(SERVICE_METHODS, service) ? SERVICE_METHODS[service] : undefined
    if (methods?.includes(method) !== true)
      throw new XCoreError('service_unknown', `getService: a sandboxed plugin cannot call ${service}.${method}`)
    const instance = getService(service)
    const called: unknown = typeof instance === 'object' && instance !== null ? Reflect.get(instance, method) : undefined
    if (!isFunction(called)) throw new XCoreError('service_unknown', `getService: the service ${service} of this host has no ${method}`)
    const answer: unknown = await Reflect.apply(called, instance, [...decoded(args, `${service}.${method}`)])
    return toRich(answer)
  })
}

export function decoded(args: readonly unknown[], what: string): readonly unknown[] {
  try {
    return args.map((arg) => fromRich(arg))
  } catch (thrown) {
    throw new XCoreError('bad_request', `${what}: ${messageOf(thrown)}`)
  }
}
