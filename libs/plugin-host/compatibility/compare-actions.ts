import { isRecord } from '../narrowing.ts'
import { narrowings, type Narrowing } from './narrowings.ts'

/** An action as a version of a plugin declares it. */
export interface ActionSchemas {
  readonly name: string
  /** JSON schema; null: any object. */
  readonly input: object | null
  /** JSON schema of the fields beside `status`; null: anything. */
  readonly output?: object | null
}

/** Something that those who use the older version may trip over. */
export interface BreakingChange {
  readonly action: string
  readonly part: 'action' | 'input' | 'output'
  /** JSON pointer into payload or result; empty: the whole. */
  readonly path: string
  /** `was …, is …` */
  readonly message: string
}

const ANY_OBJECT = { type: 'object' }

/**
 * What the new version breaks: payloads that the old one took and the new one refuses, results that the new one gives and the old one
 * never did, actions that are gone. Pure; by the order of the old version's actions.
 */
export function breakingChanges(old: readonly ActionSchemas[], next: readonly ActionSchemas[]): readonly BreakingChange[] {
  return old.flatMap((before) => {
    const after = next.find(({ name }) => name === before.name)
    if (after === undefined) return [{ action: before.name, part: 'action' as const, path: '', message: 'was there, is gone' }]
    return [...inputChanges(before, after), ...outputChanges(before, after)]
  })
}

function inputChanges(before: ActionSchemas, after: ActionSchemas): readonly BreakingChange[] {
  return narrowings(before.input ?? ANY_OBJECT, after.input ?? ANY_OBJECT).map((found) => ({
    action: before.name,
    part: 'input' as const,
    path: found.path,
    message: told(found.rule, found.wide, found.narrow),
  }))
}

/** The other way round: what comes out must still fit what callers were told. */
function outputChanges(before: ActionSchemas, after: ActionSchemas): readonly BreakingChange[] {
  if (before.output === undefined || before.output === null) return []
  const from = { action: before.name, part: 'output' as const }
  if (after.output === undefined || after.output === null) return [{ ...from, path: '', message: 'was declared, is no more' }]
  return narrowings(after.output, before.output).map(({ path, rule, wide, narrow }: Narrowing) => ({
    ...from,
    path,
    message: told(rule, narrow, wide),
  }))
}

function told(rule: string, was: string, is: string): string {
  return `${rule}: was ${was}, is ${is}`
}

/** A list of actions read from a file or another XCore; undefined: it is none. */
export function actionSchemasOf(value: unknown): readonly ActionSchemas[] | undefined {
  if (!Array.isArray(value)) return undefined
  const actions = value.map((each: unknown): ActionSchemas | undefined => {
    if (!isRecord(each) || typeof each['name'] !== 'string') return undefined
    const { name, input = null, output = null } = each
    return isSchema(input) && isSchema(output) ? { name, input, output } : undefined
  })
  const whole = actions.filter((action) => action !== undefined)
  return whole.length === actions.length ? whole : undefined
}

function isSchema(value: unknown): value is object | null {
  return value === null || isRecord(value)
}
