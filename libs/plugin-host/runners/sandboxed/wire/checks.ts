import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { FROM_HOST, FROM_SANDBOX } from './frames.ts'
import type { FromHost, FromSandbox } from './frames.ts'
import { ProtocolViolation } from './framing.ts'

type Checks = ReadonlyMap<string, (frame: unknown) => boolean>

/** Compiled when first used: the sandbox checks few kinds. */
function checksOf(schemas: Readonly<Record<string, TSchema>>): Checks {
  return new Map(
    Object.entries(schemas).map(([t, schema]) => {
      let check: ((frame: unknown) => boolean) | undefined
      return [
        t,
        (frame: unknown) => {
          if (check === undefined) {
            const validator = Compile(schema)
            check = (value) => validator.Check(value)
          }
          return check(frame)
        },
      ]
    }),
  )
}

const fromSandbox = checksOf(FROM_SANDBOX)
const fromHost = checksOf(FROM_HOST)

/** Throws ProtocolViolation. */
export function checkFromSandbox(frame: unknown): FromSandbox {
  if (isOneOf<FromSandbox>(fromSandbox, frame)) return frame
  throw violation(frame)
}

/** Throws ProtocolViolation. */
export function checkFromHost(frame: unknown): FromHost {
  if (isOneOf<FromHost>(fromHost, frame)) return frame
  throw violation(frame)
}

function isOneOf<Frame>(checks: Checks, frame: unknown): frame is Frame {
  const t = typeOf(frame)
  return t !== undefined && checks.get(t)?.(frame) === true
}

function typeOf(frame: unknown): string | undefined {
  if (typeof frame !== 'object' || frame === null || !Object.hasOwn(frame, 't')) return undefined
  const t: unknown = Reflect.get(frame, 't')
  return typeof t === 'string' ? t : undefined
}

function violation(frame: unknown): ProtocolViolation {
  const t = typeOf(frame)
  return new ProtocolViolation(
    t === undefined ? 'sent a frame without a type' : `sent a frame ${JSON.stringify(t.slice(0, 40))} that does not fit its schema`,
  )
}
