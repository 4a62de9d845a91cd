/** One line of `xcore doctor`. */
export interface Finding {
  readonly name: string
  readonly status: 'ok' | 'warn' | 'fail'
  /** What was found. */
  readonly detail: string
  /** What to do about it; null when all is well. */
  readonly remedy: string | null
}

export function ok(name: string, detail: string): Finding {
  return { name, status: 'ok', detail, remedy: null }
}

export function warn(name: string, detail: string, remedy: string): Finding {
  return { name, status: 'warn', detail, remedy }
}

export function fail(name: string, detail: string, remedy: string): Finding {
  return { name, status: 'fail', detail, remedy }
}
