/** Parses JSON that another process of the bench wrote; its shape is not checked. */
export function parseOwnJson<T>(text: string): T {
  return JSON.parse(text) as T
}
