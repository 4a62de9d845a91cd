import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { findings } from './tracked-text.ts'

const listed = spawnSync('git', ['ls-files', '-z'], { encoding: 'utf8' })
if (listed.status !== 0) throw new Error(`git ls-files failed: ${listed.error?.message ?? listed.stderr}`)

const found = listed.stdout
  .split('\0')
  .filter(Boolean)
  .flatMap((file) => {
    const bytes = readTracked(file)
    return bytes === undefined || bytes.includes(0) ? [] : findings(file, bytes.toString('utf8'))
  })
for (const { file, line, what } of found) console.error(`${file}:${line}: ${what}`)
if (found.length > 0) {
  console.error(`${found.length} lines must not be in the repository: use relative paths, placeholders, or the environment.`)
  process.exitCode = 1
}

/** undefined: deleted in the working tree, or a link to a folder. */
function readTracked(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'EISDIR')) return undefined
    throw thrown
  }
}
