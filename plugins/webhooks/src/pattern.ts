/** Patterns of event names: `*` any characters (dots too), `?` one, `[seq]` one of these, `[!seq]` one of the others. */

type Token = { readonly kind: 'any' } | { readonly kind: 'one'; readonly fits: (character: string) => boolean }

/** What is wrong with a pattern; undefined: nothing. */
export function patternProblem(pattern: string): string | undefined {
  return tokens(pattern) === undefined ? `expected a "]" for each "[" of the pattern ${JSON.stringify(pattern)}` : undefined
}

/** Whether the whole name fits. In at most pattern × name steps, whatever both hold. */
export function fitsPattern(pattern: string, name: string): boolean {
  const wanted = tokens(pattern)
  if (wanted === undefined) return false
  const characters = Array.from(name)
  let token = 0
  let at = 0
  let star = -1
  let resume = 0
  while (at < characters.length) {
    const current = wanted[token]
    if (current?.kind === 'any') {
      star = token
      resume = at
      token += 1
    } else if (current !== undefined && current.fits(characters[at] ?? '')) {
      token += 1
      at += 1
    } else if (star !== -1) {
      resume += 1
      at = resume
      token = star + 1
    } else return false
  }
  return wanted.slice(token).every(({ kind }) => kind === 'any')
}

function tokens(pattern: string): readonly Token[] | undefined {
  const characters = Array.from(pattern)
  const found: Token[] = []
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? ''
    if (character === '*') found.push({ kind: 'any' })
    else if (character === '?') found.push({ kind: 'one', fits: () => true })
    else if (character === '[') {
      const negated = characters[at + 1] === '!'
      const first = at + (negated ? 2 : 1)
      // A "]" in the first place stands for itself.
      const end = characters.indexOf(']', first + 1)
      if (end === -1) return undefined
      const within = oneOf(characters.slice(first, end))
      found.push({ kind: 'one', fits: (each) => within(each) !== negated })
      at = end
    } else found.push({ kind: 'one', fits: (each) => each === character })
  }
  return found
}

function oneOf(set: readonly string[]): (character: string) => boolean {
  const ranges: { readonly from: string; readonly to: string }[] = []
  for (let at = 0; at < set.length; at += 1) {
    const from = set[at] ?? ''
    const to = set[at + 2]
    const ranged = set[at + 1] === '-' && to !== undefined
    ranges.push({ from, to: ranged ? to : from })
    if (ranged) at += 2
  }
  return (character) => ranges.some(({ from, to }) => from <= character && character <= to)
}
