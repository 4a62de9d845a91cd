import { fileURLToPath, pathToFileURL } from 'node:url'
import { XCoreError } from '../../libs/errors/index.ts'

/** What is known about an error that nobody caught. */
export interface StrayError {
  readonly kind: 'exception' | 'rejection'
  readonly error: unknown
  /** The plugin in whose asynchronous context it came up; undefined: none, or not known. */
  readonly plugin: string | undefined
}

export type Culprit = { readonly side: 'plugin'; readonly plugin: string | undefined } | { readonly side: 'platform' }

/** The repository: frames in here, outside of the plugins' folder and of node_modules, are XCore's own. */
const OWN_CODE = new URL('../../', import.meta.url)

/**
 * Whose fault an uncaught error is. A plugin's is logged and the process goes on: in trusted mode a forgotten `await` or a
 * throw in a plugin's timer must not take the other plugins down, and its frames, not the platform's, were unwound. One of XCore's own
 * leaves it in an unknown state: clean stop, exit 1; the jobs it held run elsewhere.
 *
 * In this order: the asynchronous context names a plugin; a stack frame lies in the plugins' folder; then it is the platform's,
 * save for rejections that are expected failures (a plugin that does not await `emit` while the database is away) or that
 * never passed through XCore's own code.
 */
export function judgeStrayError(stray: StrayError, pluginsDir: string): Culprit {
  if (stray.plugin !== undefined) return { side: 'plugin', plugin: stray.plugin }
  const stack = stray.error instanceof Error ? (stray.error.stack ?? '') : ''
  const folder = pluginIn(stack, pluginsDir)
  if (folder !== undefined) return { side: 'plugin', plugin: folder }
  if (stray.kind === 'rejection' && (stray.error instanceof XCoreError || !passesThroughXCore(stack)))
    return { side: 'plugin', plugin: undefined }
  return { side: 'platform' }
}

/** The first folder below `pluginsDir` that a stack frame lies in. Frames of modules are URLs, of CommonJS they are paths. */
function pluginIn(stack: string, pluginsDir: string): string | undefined {
  const url = pathToFileURL(pluginsDir).href.replace(/\/$/, '')
  for (const prefix of [`${url}/`, `${pluginsDir.replace(/[/\\]$/, '')}/`]) {
    const at = stack.indexOf(prefix)
    const folder = at < 0 ? undefined : /^[^/\\:)]+/.exec(stack.slice(at + prefix.length))?.[0]
    if (folder !== undefined) return decodeURIComponent(folder)
  }
  return undefined
}

function passesThroughXCore(stack: string): boolean {
  return [OWN_CODE.href, fileURLToPath(OWN_CODE)].some((root) => ['apps/', 'libs/'].some((folder) => stack.includes(root + folder)))
}
