import { distance } from 'fastest-levenshtein'

/** The candidate that `word` is most likely a misspelling of; undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(2, Math.floor(word.length / 3))
  const ranked = candidates
    .map((candidate) => ({ candidate, far: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, far }) => (far <= limit && far < candidate.length) || startsAlike(word, candidate))
    .sort((a, b) => a.far - b.far)
  return ranked[0]?.candidate
}

/** ` Did you mean "port"?` to be put after a message, or an empty text. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const near = nearest(word, candidates)
  return near === undefined ? '' : ` Did you mean "${near}"?`
}

/** One is the beginning of the other: `logging` for `log`, `timeout` for `timeout_seconds`. */
function startsAlike(word: string, candidate: string): boolean {
  return Math.min(word.length, candidate.length) > 2 && (word.startsWith(candidate) || candidate.startsWith(word))
}
