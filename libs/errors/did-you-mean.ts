import { distance } from 'fastest-levenshtein'

/** The candidate that `word` is most likely a misspelling of; undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(2, Math.floor(word.length / 3))
  const ranked = candidates
    .map((candidate) => ({ candidate, far: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, far }) => (far <= limit && far < candidate.length) || (candidate.length > 2 && word.startsWith(candidate)))
    .sort((a, b) => a.far - b.far)
  return ranked[0]?.candidate
}

/** ` Did you mean "port"?` to be put after a message, or an empty text. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const near = nearest(word, candidates)
  return near === undefined ? '' : ` Did you mean "${near}"?`
}
