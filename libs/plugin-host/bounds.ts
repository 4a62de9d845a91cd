import type { Manifest } from '../manifest/index.ts'
import type { ServiceOwner } from './port.ts'

/** For twice what a frame to the sandbox can hold: bytes come out of the database in hexadecimal. */
const SANDBOXED_RESULT_BYTES = 16 * 1024 * 1024

/** Other plugins wait for their turn to load. */
const SANDBOXED_MIGRATION_SECONDS = 60

type Bounds = Pick<ServiceOwner, 'maxDiskMb' | 'maxResultBytes' | 'maxMigrationSeconds'>

/** What services hold a plugin to: one in a sandbox must not fill the memory of the host, nor hold up the others. */
export function boundsOf({ executionMode, resources }: Pick<Manifest, 'executionMode' | 'resources'>): Bounds {
  const sandboxed = { maxResultBytes: SANDBOXED_RESULT_BYTES, maxMigrationSeconds: SANDBOXED_MIGRATION_SECONDS }
  return { maxDiskMb: resources.maxDiskMb, ...(executionMode === 'sandboxed' ? sandboxed : {}) }
}
