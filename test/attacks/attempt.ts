/** One thing that hostile code tries. It runs inside as the body of an async function and returns its loot; returning nothing, or throwing, is a failure. */
export interface Attempt {
  readonly name: string
  /** May use `load(specifier)`, a dynamic import, `plugin`, the instance, and `job`. */
  readonly code: string
  /** When it must end the sandbox: with one of these codes. */
  readonly ends?: readonly string[]
}

export function attempts(list: Readonly<Record<string, string>>): Attempt[] {
  return Object.entries(list).map(([name, code]) => ({ name, code }))
}

/** Attempts after which the sandbox is gone. */
export function endings(codes: readonly string[], list: Readonly<Record<string, string>>): Attempt[] {
  return Object.entries(list).map(([name, code]) => ({ name, code, ends: codes }))
}
