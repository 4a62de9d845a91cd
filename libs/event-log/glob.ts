/**
 * Globs as event patterns and permissions use them: `*` any characters (dots too, none as well), `?` one, `[seq]` one of
 * these (`[a-z]`, `[!seq]` one of the others, `]` first stands for itself). Case counts. Never a regular expression:
 * a pattern of length p meets a text of length t in at most p·t steps, whatever both hold.
 */

/** The longest pattern that is taken, in characters. */
export const MAX_GLOB_LENGTH = 256

interface Range {
  readonly from: number
  readonly to: number
}
type Token = { readonly kind: 'literal'; readonly code: number } | { readonly kind: 'one' } | { readonly kind: 'many' } | OneOf
interface OneOf {
  readonly kind: 'oneOf'
  readonly negated: boolean
  readonly ranges: readonly Range[]
}

type Parsed = { readonly ok: true; readonly tokens: readonly Token[] } | { readonly ok: false; readonly problem: string }

/** What is wrong with a pattern; undefined: nothing. */
export function globProblem(pattern: string): string | undefined {
  const parsed = parse(pattern)
  return parsed.ok ? undefined : parsed.problem
}

/** Whether all of `text` fits the pattern. A pattern that `globProblem` objects to fits nothing. */
export function matchGlob(pattern: string, text: string): boolean {
  return compileGlob(pattern)(text)
}

/** The same for many texts. */
export function compileGlob(pattern: string): (text: string) => boolean {
  const parsed = parse(pattern)
  if (!parsed.ok) return () => false
  const { tokens } = parsed
  if (tokens.every((token) => token.kind === 'literal')) return (text) => text === pattern
  return (text) => matches(tokens, text)
}

function parse(pattern: string): Parsed {
  const characters = Array.from(pattern, (character) => character.codePointAt(0) ?? 0)
  if (characters.length === 0) return { ok: false, problem: 'expected a pattern of at least one character, found an empty one' }
  if (characters.length > MAX_GLOB_LENGTH) {
    return { ok: false, problem: `expected a pattern of at most ${MAX_GLOB_LENGTH} characters, found ${characters.length}` }
  }
  const tokens: Token[] = []
  let at = 0
  while (at < characters.length) {
    const code = characters[at] ?? 0
    at += 1
    if (code === STAR) {
      if (tokens.at(-1)?.kind !== 'many') tokens.push({ kind: 'many' })
    } else if (code === QUESTION) tokens.push({ kind: 'one' })
    else if (code === OPEN) {
      const set = parseSet(characters, at)
      if (typeof set === 'string') return { ok: false, problem: set }
      tokens.push(set.token)
      at = set.next
    } else tokens.push({ kind: 'literal', code })
  }
  return { ok: true, tokens }
}

const STAR = 0x2a
const QUESTION = 0x3f
const OPEN = 0x5b
const CLOSE = 0x5d
const BANG = 0x21
const DASH = 0x2d

function parseSet(characters: readonly number[], start: number): { readonly token: OneOf; readonly next: number } | string {
  const negated = characters[start] === BANG
  const first = negated ? start + 1 : start
  const end = characters.indexOf(CLOSE, first + 1)
  if (end === -1) return `expected a "]" that closes the "[" at character ${start}, found none; write "[[]" for a bracket itself`
  const ranges: Range[] = []
  for (let at = first; at < end; at += 1) {
    const from = characters[at] ?? 0
    if (characters[at + 1] === DASH && at + 2 < end) {
      const to = characters[at + 2] ?? 0
      if (to < from) return `expected a rising range, found "${String.fromCodePoint(from)}-${String.fromCodePoint(to)}"`
      ranges.push({ from, to })
      at += 2
    } else ranges.push({ from, to: from })
  }
  return { token: { kind: 'oneOf', negated, ranges }, next: end + 1 }
}

// Two pointers: after a `*` only the latest one is ever widened, since an earlier one could not reach further.
function matches(tokens: readonly Token[], text: string): boolean {
  let token = 0
  let at = 0
  let resumeToken = -1
  let resumeAt = 0
  while (at < text.length) {
    const code = text.codePointAt(at) ?? 0
    const current = tokens[token]
    if (current?.kind === 'many') {
      token += 1
      resumeToken = token
      resumeAt = at
    } else if (current !== undefined && fits(current, code)) {
      token += 1
      at += width(code)
    } else if (resumeToken !== -1) {
      resumeAt += width(text.codePointAt(resumeAt) ?? 0)
      at = resumeAt
      token = resumeToken
    } else return false
  }
  while (tokens[token]?.kind === 'many') token += 1
  return token === tokens.length
}

function width(code: number): number {
  return code > 0xffff ? 2 : 1
}

function fits(token: Exclude<Token, { kind: 'many' }>, code: number): boolean {
  switch (token.kind) {
    case 'one':
      return true
    case 'literal':
      return token.code === code
    case 'oneOf':
      return token.negated !== token.ranges.some((range) => range.from <= code && code <= range.to)
  }
}
