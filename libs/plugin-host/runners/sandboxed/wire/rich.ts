/**
 * JSON that also holds what services take and give: dates, bytes, big integers, undefined. A special value is an object with the
 * single member `$`; an object of the plugin's own that has such a member is wrapped, so nothing is taken for something else.
 */
const MAX_LEVELS = 70

/** Throws RangeError for cycles and what is nested too deeply, TypeError for functions and symbols. */
export function toRich(value: unknown, level = 0): unknown {
  if (level > MAX_LEVELS) throw new RangeError(`expected at most ${MAX_LEVELS} levels, found more`)
  switch (typeof value) {
    case 'undefined':
      return { $: 'u' }
    case 'bigint':
      return { $: 'n', v: String(value) }
    case 'number':
      return Number.isFinite(value) ? value : { $: 'f', v: String(value) }
    case 'function':
    case 'symbol':
      throw new TypeError(`expected a value that can be sent to the host, found a ${typeof value}`)
    case 'object':
      return value === null ? null : objectToRich(value, level)
    default:
      return value
  }
}

function objectToRich(value: object, level: number): unknown {
  if (value instanceof Date) return { $: 'd', v: value.getTime() }
  if (ArrayBuffer.isView(value)) return { $: 'b', v: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  if (Array.isArray(value)) return value.map((item) => toRich(item, level + 1))
  const toJson: unknown = Reflect.get(value, 'toJSON')
  if (typeof toJson === 'function') return toRich(Reflect.apply(toJson, value, []), level + 1)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  const plain = Object.fromEntries(members.map(([key, member]) => [key, toRich(member, level + 1)]))
  return Object.hasOwn(plain, '$') ? { $: 'o', v: plain } : plain
}

/** The way back, on what JSON.parse made. Knows only these few kinds: nothing else can be made with it. Throws RangeError, TypeError. */
export function fromRich(value: unknown, level = 0): unknown {
  if (level > 2 * MAX_LEVELS) throw new RangeError('expected fewer levels, found more')
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item: unknown) => fromRich(item, level + 1))
  if (Object.hasOwn(value, '$')) return special(Reflect.get(value, '$'), Reflect.get(value, 'v'), level)
  return members(value, level)
}

function special(kind: unknown, value: unknown, level: number): unknown {
  switch (kind) {
    case 'u':
      return undefined
    case 'n':
      return BigInt(typeof value === 'string' && /^-?\d{1,400}$/.test(value) ? value : 0)
    case 'f':
      return Number(value)
    case 'd':
      return new Date(Number(value))
    case 'b':
      return Buffer.from(typeof value === 'string' ? value : '', 'base64')
    case 'o':
      return typeof value === 'object' && value !== null ? members(value, level) : {}
    default:
      throw new TypeError('expected a known kind of value, found another')
  }
}

function members(value: object, level: number): object {
  const entries: [string, unknown][] = []
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') throw new TypeError('the key `__proto__` is refused')
    entries.push([key, fromRich(member, level + 1)])
  }
  return Object.fromEntries(entries)
}
