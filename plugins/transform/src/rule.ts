import { HttpError } from '@xcore/sdk'

/** A rule as it is stored. */
export interface Rule {
  readonly id: string
  /** Events that it is about: `*` any characters, `?` one. */
  readonly pattern: string
  /** A JavaScript function of the event, such as `(event) => ({ repo: event.data.payload.repository.full_name })`. */
  readonly code: string
  /** The event that it makes is called `transform.<name>`. */
  readonly name: string
}

/** What a rule is given. Its own copy: what a rule does to it, the next one does not see. */
export interface RuleEvent {
  readonly name: string
  readonly data: unknown
  readonly time: string
}

/**
 * Runs a rule's function on an event. Returning nothing, or null, means that the event is not for it.
 * Throws HttpError 422 `rule_invalid` for what is no function, `rule_failed` for what it throws.
 */
export async function applyRule(code: string, event: RuleEvent): Promise<unknown> {
  const mapping = compile(code)
  try {
    const made: unknown = await mapping(structuredClone(event))
    return made ?? null
  } catch (thrown) {
    throw new HttpError(422, `the rule threw: ${thrown instanceof Error ? thrown.message : String(thrown)}`, {
      code: 'rule_failed',
      cause: thrown,
    })
  }
}

/** Throws HttpError 422 `rule_invalid`. */
export function compile(code: string): (event: RuleEvent) => unknown {
  try {
    const made: unknown = Reflect.construct(Function, [`"use strict"; return (${code})`]).call(undefined)
    if (typeof made !== 'function') throw new TypeError(`expected a function such as (event) => ({…}), found ${typeof made}`)
    return (event) => Reflect.apply(made, undefined, [event])
  } catch (thrown) {
    throw new HttpError(422, `the rule is not valid: ${thrown instanceof Error ? thrown.message : String(thrown)}`, {
      code: 'rule_invalid',
      cause: thrown,
    })
  }
}

/** Whether an event's name fits a rule's pattern. */
export function fits(pattern: string, name: string): boolean {
  // Without a regular expression: a pattern of many stars would take one for ever.
  let at = 0
  let star = -1
  let from = 0
  let position = 0
  while (position < name.length) {
    if (pattern[at] === '*') {
      star = at++
      from = position
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[position])) {
      at += 1
      position += 1
    } else if (star >= 0) {
      at = star + 1
      position = ++from
    } else return false
  }
  while (pattern[at] === '*') at += 1
  return at === pattern.length
}
