import { numberOf, numberOrNull, fieldsOf, listOf, textOf, countsOf, type Fields } from './read.ts'
import { REPLAY_FILTERS, picked, type Filter } from './filters.ts'
import { count, plural } from './format.ts'

/** What somebody typed into the form of a bulk replay; everything is text, blank is left out. */
export interface ReplayForm {
  readonly filter: Filter
  /** JSON: `{"user.id": 7}`. */
  readonly payloadMatch: string
  /** JSON: what every job gets in place of its own payload. */
  readonly payload: string
  readonly rate: string
  /** Of 100. */
  readonly stopAtPercent: string
  readonly priority: string
  readonly force: boolean
}

/** A body for `POST /replays` without name and reason, or what has to be mended first. */
export type Read = { readonly ok: true; readonly body: Fields } | { readonly ok: false; readonly mistakes: readonly string[] }

export function replayRequest(form: ReplayForm): Read {
  const mistakes: string[] = []
  const number = (text: string, name: string): number | undefined => {
    if (text.trim() === '') return undefined
    const value = Number(text)
    if (Number.isFinite(value)) return value
    mistakes.push(`${name}: expected a number, found “${text.trim()}”.`)
    return undefined
  }
  const json = (text: string, name: string): unknown => {
    const parsed = parseJson(text)
    if (!parsed.ok) mistakes.push(`${name}: ${parsed.mistake}`)
    return parsed.ok ? parsed.value : undefined
  }
  const match = json(form.payloadMatch, 'Payload holds')
  const percent = number(form.stopAtPercent, 'Stop at failures')
  const filter = { ...picked(form.filter, REPLAY_FILTERS), ...(match !== undefined && { payload: match }) }
  if (Object.keys(filter).length === 0)
    mistakes.push('The filter is empty. To replay everything that failed, choose the states failed and dead.')
  const members = {
    filter,
    payload: json(form.payload, 'New payload'),
    rate_per_second: number(form.rate, 'Jobs per second'),
    stop_at_failures: percent === undefined ? undefined : percent / 100,
    priority: number(form.priority, 'Priority'),
    force: form.force ? true : undefined,
  }
  if (mistakes.length > 0) return { ok: false, mistakes }
  return { ok: true, body: Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) }
}

/** The members of a body that a dry run takes: pace and order do not change what is matched. */
export function dryRunOf(body: Fields): Fields {
  const kept = Object.entries(body).filter(([name]) => ['filter', 'payload', 'force'].includes(name))
  return { ...Object.fromEntries(kept), dry_run: true }
}

export type Parsed = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly mistake: string }

/** JSON that somebody typed; blank is undefined. */
export function parseJson(text: string): Parsed {
  if (text.trim() === '') return { ok: true, value: undefined }
  try {
    const value: unknown = JSON.parse(text)
    return { ok: true, value }
  } catch (error) {
    return { ok: false, mistake: `expected JSON: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** The answer of a dry run. */
export interface Plan {
  readonly matched: number
  readonly checked: number
  readonly toReplay: number
  readonly byPlugin: readonly (readonly [string, number])[]
  readonly byName: readonly (readonly [string, number])[]
  readonly byError: readonly (readonly [string, number])[]
  readonly leftOut: readonly (readonly [string, number])[]
  readonly invalid: readonly { readonly id: string; readonly what: string }[]
  readonly unhandled: readonly string[]
  readonly sample: readonly { readonly id: string; readonly what: string }[]
}

export function planOf(value: unknown): Plan {
  const fields = fieldsOf(value)
  const what = (item: Fields): string => `${textOf(item['plugin'])}.${textOf(item['name'])}`
  return {
    matched: numberOf(fields['matched']),
    checked: numberOrNull(fields['checked']) ?? numberOf(fields['matched']),
    toReplay: numberOf(fields['to_replay']),
    byPlugin: countsOf(fields['by_plugin']),
    byName: countsOf(fields['by_name']),
    byError: countsOf(fields['by_error']),
    leftOut: countsOf(fields['left_out']),
    invalid: listOf(fields['invalid'], (item) => {
      const errors = listOf(item['errors'], (error) => `${textOf(error['path']) || '/'} ${textOf(error['message'])}`)
      return { id: textOf(item['job_id']), what: `${what(item)}: ${errors.join('; ')}` }
    }),
    unhandled: listOf(fields['unhandled'], (item) => `${count(numberOf(item['count']))} of ${what(item)}: ${textOf(item['why'])}`),
    sample: listOf(fields['sample'], (item) => ({
      id: textOf(item['job_id']),
      what: [what(item), textOf(item['error_code'])].filter((part) => part !== '').join(' '),
    })),
  }
}

const LEFT_OUT: Readonly<Record<string, string>> = {
  already_succeeded: 'succeeded in a replay since',
  superseded: 'a later replay of it failed or is under way',
  under_way: 'under way now',
  unhandled: 'plugin, action or subscription is not here now',
  unsafe: 'marked replay: unsafe',
  invalid: 'payload does not fit the present schema',
}

export function leftOutText(reason: string): string {
  return Object.hasOwn(LEFT_OUT, reason) ? (LEFT_OUT[reason] ?? reason) : reason
}

/** The plan in one sentence. */
export function planSentence(plan: Plan): string {
  const looked = plan.checked < plan.matched ? ` (${count(plan.checked)} of them were looked at one by one)` : ''
  return `${plural(plan.matched, 'job')} matched${looked}, ${count(plan.toReplay)} would run again.`
}
