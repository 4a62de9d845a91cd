const SECOND = 1
const MINUTE = 60
const HOUR = 3600
const DAY = 86_400

/** How long something has lasted, in the two largest units: `8 s`, `3 min 20 s`, `2 d 4 h`. */
export function age(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < MINUTE) return `${whole} s`
  if (whole < HOUR) return twoUnits(whole, MINUTE, 'min', SECOND, 's')
  if (whole < DAY) return twoUnits(whole, HOUR, 'h', MINUTE, 'min')
  return twoUnits(whole, DAY, 'd', HOUR, 'h')
}

/** The same in one unit, for guesses: `18 min`. */
export function roughAge(seconds: number): string {
  const [unit, name] = seconds < 90 ? [SECOND, 's'] : seconds < 90 * MINUTE ? [MINUTE, 'min'] : seconds < 2 * DAY ? [HOUR, 'h'] : [DAY, 'd']
  return `${count(Math.max(0, Math.round(seconds / unit)))} ${name}`
}

function twoUnits(whole: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((whole % large) / small)
  return `${Math.floor(whole / large)} ${largeName}${rest === 0 ? '' : ` ${rest} ${smallName}`}`
}

/** How long an attempt took: `4 ms`, `1.25 s`, `2 min 3 s`. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`
  return seconds < MINUTE ? `${Math.round(seconds * 100) / 100} s` : age(seconds)
}

/** `in 3 min` or `5 s ago`. */
export function relative(time: string, nowMs: number): string {
  const at = Date.parse(time)
  if (Number.isNaN(at)) return time
  const seconds = (nowMs - at) / 1000
  // Clocks of two machines differ a little: what is just ahead is now.
  if (seconds < 0 && seconds > -1.5) return '0 s ago'
  return seconds < 0 ? `in ${age(-seconds)}` : `${age(seconds)} ago`
}

/** Of the reader's own clock; the date only when it is not that of `nowMs`. `zone`: IANA name, default the browser's. */
export function clock(time: string, nowMs: number, zone?: string): string {
  const at = Date.parse(time)
  if (Number.isNaN(at)) return time
  // Swedish dates are ISO 8601.
  const format = new Intl.DateTimeFormat('sv-SE', {
    dateStyle: 'short',
    timeStyle: 'medium',
    ...(zone !== undefined && { timeZone: zone }),
  })
  const text = format.format(at)
  return text.slice(0, 10) === format.format(nowMs).slice(0, 10) ? text.slice(11) : text
}

const NUMBERS = new Intl.NumberFormat('en-US')

export function count(value: number): string {
  return NUMBERS.format(value)
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** The end of an id: ids of the same minute begin alike. */
export function shortId(id: string): string {
  return id.length > 12 ? `…${id.slice(-8)}` : id
}

/** More than this of one value makes a page slow, and nobody reads it. */
const MOST_CHARACTERS = 100_000

/** JSON for reading, as text. */
export function pretty(value: unknown): string {
  const text = value === undefined ? '' : JSON.stringify(value, null, 2)
  const more = text.length - MOST_CHARACTERS
  return more <= 0 ? text : `${text.slice(0, MOST_CHARACTERS)}\n… and ${plural(more, 'character')} more: see GET /jobs/{id}`
}
