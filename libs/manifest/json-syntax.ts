import { messageOf } from '../errors/index.ts'

/**
 * YAML takes more than JSON does (comments, trailing commas); a .json file is held to JSON. The engine's message has no
 * position for most errors, so the line is searched: the first one that no text after it could make right.
 */
export function jsonError(text: string): { offset: number; message: string } | undefined {
  if (text.trim() === '' || parseFault(text) === undefined) return undefined
  const ends = [...text.matchAll(/\n|$/g)].map((match) => match.index)
  let low = 0
  let high = ends.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    const prefix = text.slice(0, ends[middle])
    const fault = parseFault(prefix)
    if (fault === undefined || fault.position >= prefix.trimEnd().length) low = middle + 1
    else high = middle
  }
  return {
    offset: low === 0 ? 0 : (ends[low - 1] ?? 0) + 1,
    message: `expected JSON: ${parseFault(text.slice(0, ends[low]))?.message ?? 'it ends too early'}`,
  }
}

// `position`: 0 when the message names none, past the end when the text only stops too early.
function parseFault(text: string): { position: number; message: string } | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (thrown) {
    const full = messageOf(thrown)
    const position = /^Unexpected end/.test(full) ? text.length : Number(/at position (\d+)/.exec(full)?.[1] ?? 0)
    // The quoted stretch of the text may hold a secret.
    return { position, message: full.replace(/,? (?:\.\.\.|")[^]*is not valid JSON$| in JSON at position[^]*$/, '') }
  }
}
