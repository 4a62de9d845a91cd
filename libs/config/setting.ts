import type { ConfigKey } from './keys.ts'

/** A value for one key and where it was found. */
export interface Setting {
  readonly key: ConfigKey
  readonly value: unknown
  /** e.g. `xcore.yaml:12` or `XCORE_HTTP_PORT`, of the value or of a part of it. */
  readonly where: (path: readonly string[]) => string
  /** Absolute folder that relative paths start from. */
  readonly baseDir: string
}
