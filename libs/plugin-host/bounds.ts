import type { Manifest } from '../manifest/index.ts'
import type { ServiceOwner } from './port.ts'

/** For twice what a frame to the sandbox can hold: bytes come out of the database in hexadecimal. */
const SANDBOXED_RESULT_BYTES = 16 * 1024 * 1024

/** What services hold a plugin to: one in a sandbox must not fill the memory of the host. */
export function boundsOf({
  executionMode,
  resources,
}: Pick<Manifest, 'executionMode' | 'resources'>): Pick<ServiceOwner, 'maxDiskMb' | 'maxResultBytes'> {
  return { maxDiskMb: resources.maxDiskMb, ...(executionMode === 'sandboxed' ? { maxResultBytes: SANDBOXED_RESULT_BYTES } : {}) }
}
