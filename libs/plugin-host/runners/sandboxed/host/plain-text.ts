/** What a terminal would take for an order, or a reader for other text than it is, becomes visible: it may be shown as it is. */
export function plainText(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === '\t' || character === '\n' ? character : '\uFFFD',
  )
}

/** The same for a line of a log: what comes after a line break cannot be taken for a line of somebody else. */
export function plainLine(text: string): string {
  return plainText(text).replaceAll('\n', '\n    ')
}
