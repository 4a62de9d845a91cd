import type { Issue } from '../../libs/errors/index.ts'

const MAX_LEVELS = 64

/**
 * What JSON.parse lets through and a durable job cannot hold or should not meet: `\u0000` and lone surrogates (Postgres refuses both
 * in jsonb), numbers that overflow (they would come back as null), prototype keys, more than 64 levels.
 * One walk; undefined: all is well. The path is a JSON pointer.
 */
export function findForbidden(value: unknown, level = 1): Issue | undefined {
  if (typeof value === 'string') return forbiddenText(value, 'a string')
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : issue('a number is too large')
  if (typeof value !== 'object' || value === null) return undefined
  if (level > MAX_LEVELS) return issue(`more than ${MAX_LEVELS} levels deep`)
  if (Array.isArray(value)) return inArray(value, level)
  for (const [key, member] of Object.entries(value)) {
    const found = forbiddenKey(key, member) ?? findForbidden(member, level + 1)
    if (found !== undefined) return { path: `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}${found.path}`, message: found.message }
  }
  return undefined
}

function inArray(items: readonly unknown[], level: number): Issue | undefined {
  for (let i = 0; i < items.length; i++) {
    const found = findForbidden(items[i], level + 1)
    if (found !== undefined) return { path: `/${i}${found.path}`, message: found.message }
  }
  return undefined
}

function forbiddenKey(key: string, member: unknown): Issue | undefined {
  if (key === '__proto__') return issue('the key __proto__ is not allowed')
  if (key === 'constructor' && typeof member === 'object' && member !== null && Object.hasOwn(member, 'prototype')) {
    return issue('the keys constructor.prototype are not allowed')
  }
  return forbiddenText(key, 'a key')
}

function forbiddenText(text: string, what: string): Issue | undefined {
  if (text.includes('\u0000')) return issue(`${what} holds \\u0000`)
  return text.isWellFormed() ? undefined : issue(`${what} holds half of a surrogate pair`)
}

function issue(message: string): Issue {
  return { path: '', message }
}
