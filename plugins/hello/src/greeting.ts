const WORDS = { en: 'Hello', de: 'Hallo', es: 'Hola', fr: 'Bonjour', it: 'Ciao' } as const

export type Language = keyof typeof WORDS
export const LANGUAGES = ['en', 'de', 'es', 'fr', 'it'] as const satisfies readonly Language[]

export function greeting(name: string, language: Language = 'en'): string {
  return `${WORDS[language]}, ${name}!`
}

/** The last users that were welcomed, at most `limit`. */
export class Welcomes {
  readonly #limit: number
  readonly #byEvent = new Map<string, string>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** The greeting; undefined when the event names nobody, or was seen before (deliveries may come twice). */
  add(eventId: string, data: unknown): string | undefined {
    if (this.#byEvent.has(eventId) || typeof data !== 'object' || data === null) return undefined
    if (!('username' in data) || typeof data.username !== 'string') return undefined
    const text = greeting(data.username)
    this.#byEvent.set(eventId, text)
    const [oldest] = this.#byEvent.keys()
    if (this.#byEvent.size > this.#limit && oldest !== undefined) this.#byEvent.delete(oldest)
    return text
  }

  newestFirst(): readonly string[] {
    return [...this.#byEvent.values()].reverse()
  }
}
