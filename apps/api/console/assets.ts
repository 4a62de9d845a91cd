import { hash } from 'node:crypto'
import { glob, readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { extname, join } from 'node:path'

/** A file of the console as browsers get it. */
export interface Asset {
  readonly type: string
  readonly etag: string
  readonly body: Buffer
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ts': 'text/javascript; charset=utf-8',
}

/**
 * The files below `model/` and `page/`, by their path. They are all that is served: nobody's path is ever opened.
 * Types become blanks, so lines and columns in a browser are those of the source.
 */
export async function readAssets(folder = import.meta.dirname): Promise<ReadonlyMap<string, Asset>> {
  const assets = new Map<string, Asset>()
  for await (const found of glob('{model,page}/**/*.{html,css,ts}', { cwd: folder })) {
    const path = found.replaceAll('\\', '/')
    const type = TYPES[extname(path)]
    if (type === undefined || path.endsWith('.test.ts')) continue
    const source = await readFile(join(folder, path), 'utf8')
    const body = Buffer.from(path.endsWith('.ts') ? withoutTypes(source) : source)
    assets.set(path, { type, etag: `"${hash('sha256', body, 'base64url').slice(0, 22)}"`, body })
  }
  return assets
}

/** The very function that Node runs our TypeScript with. That it may still change its options is no news for an operator's log. */
function withoutTypes(source: string): string {
  const emit = process.emitWarning
  process.emitWarning = () => undefined
  try {
    return stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = emit
  }
}
