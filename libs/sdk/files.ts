/** What `list` and `stat` tell of a file or a folder. */
export interface FileInfo {
  /** Relative to the plugin's `data/` folder, `/` between the parts. */
  readonly path: string
  readonly kind: 'file' | 'folder'
  /** Bytes; 0 of a folder. */
  readonly size: number
  readonly modified: Date
}

/**
 * `getService('files')`: files in the plugin's own folder `data/`. Paths are relative to it; nothing outside can be reached, links are
 * not followed. The whole folder may hold `resources.max_disk_mb`.
 *
 * Throws XCoreError `permission_denied` when the manifest does not allow `fs:<path>` (`read`, or `write`) and for paths that lead
 * outside, `not_found`, `payload_too_large` past 4 MiB a call, `quota_exceeded`, `bad_request`.
 */
export interface Files {
  read(path: string): Promise<Buffer>
  readText(path: string): Promise<string>
  /** Replaces the file in one step; makes the folders above it. */
  write(path: string, content: string | Uint8Array): Promise<void>
  append(path: string, content: string | Uint8Array): Promise<void>
  /** A file, or an empty folder. Resolves with whether there was one. */
  delete(path: string): Promise<boolean>
  exists(path: string): Promise<boolean>
  /** What is in a folder (default: `data/` itself), sorted by name, at most 10,000 entries. */
  list(path?: string): Promise<FileInfo[]>
  stat(path: string): Promise<FileInfo>
  /** Bytes in use, and how many there may be. */
  usage(): Promise<{ readonly bytes: number; readonly limit: number }>
}

declare module './context.ts' {
  interface Services {
    readonly files: Files
  }
}
