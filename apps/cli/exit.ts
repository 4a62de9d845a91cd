import { XCoreError } from '../../libs/errors/index.ts'

/** What the process ends with (contract: 0 / 1 failed / 2 usage). */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const

/** The command line asks for something that cannot be: exit 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The command did its work and the answer is no: exit 1. With an empty message everything has been printed already. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  /** Of the catalogue, or a plugin's own; undefined: none was given. */
  readonly code: string | undefined
  /** More lines to print, e.g. one a mismatch. */
  readonly lines: readonly string[]

  constructor(message = '', options: { readonly code?: string; readonly lines?: readonly string[] } = {}) {
    super(message)
    this.code = options.code
    this.lines = options.lines ?? []
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage
  if (error instanceof XCoreError && error.code === 'config_invalid') return EXIT.usage
  return EXIT.failed
}
