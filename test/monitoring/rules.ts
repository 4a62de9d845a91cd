import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { isRecord, textAt } from './narrowing.ts'

export const RULES_FILE = fileURLToPath(new URL('../../prometheus/rules/xcore.yml', import.meta.url))
export const RULES_TEST = fileURLToPath(new URL('../../prometheus/rules/xcore.test.yml', import.meta.url))

export interface Rule {
  /** Of the alert, or of the recorded series. */
  readonly name: string
  readonly expr: string
}

/** All rules of prometheus/rules/xcore.yml. */
export function rules(): readonly Rule[] {
  return entries().map((rule) => ({ name: textAt(rule, 'alert') ?? textAt(rule, 'record') ?? '', expr: textAt(rule, 'expr') ?? '' }))
}

export function alerts(): readonly { readonly name: string; readonly runbook: string }[] {
  return entries().flatMap((rule) => {
    const name = textAt(rule, 'alert')
    const annotations = rule['annotations']
    return name === undefined ? [] : [{ name, runbook: (isRecord(annotations) ? textAt(annotations, 'runbook') : undefined) ?? '' }]
  })
}

function entries(): readonly Record<string, unknown>[] {
  const file: unknown = parse(readFileSync(RULES_FILE, 'utf8'))
  const groups: unknown = isRecord(file) ? file['groups'] : []
  return (Array.isArray(groups) ? groups : []).flatMap((group: unknown) => {
    const found: unknown = isRecord(group) ? group['rules'] : []
    return Array.isArray(found) ? found.filter(isRecord) : []
  })
}
