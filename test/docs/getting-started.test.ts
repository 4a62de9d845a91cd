import assert from 'node:assert/strict'
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { testDatabase } from '../../libs/postgres/testing/index.ts'
import { runCli, startCli, testFolder } from '../cli-process.ts'

const ROOT = join(import.meta.dirname, '../..')
const WRITTEN_FOR = 'http://127.0.0.1:8080'

interface Snippet {
  readonly language: string
  readonly text: string
  /** Of a file: its path, from the first line. */
  readonly path: string | undefined
}

async function snippets(): Promise<readonly Snippet[]> {
  const page = await readFile(join(ROOT, 'docs/getting-started.md'), 'utf8')
  return [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    language,
    text,
    path: /^(?:#|\/\/) (\S+\.\w+)\n/.exec(text)?.[1],
  }))
}

/** The words of a command line; knows single quotes only, which is what the page uses. */
const words = (line: string) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')

async function curl(url: string, args: readonly string[]): Promise<{ readonly status: number; readonly text: string }> {
  const after = (flag: string) => args.flatMap((word, index) => (args[index - 1] === flag ? [word] : []))
  const [body] = after('-d')
  const response = await fetch(args.find((word) => word.startsWith(WRITTEN_FOR))?.replace(WRITTEN_FOR, url) ?? '', {
    headers: after('-H').map((header): [string, string] => [header.split(': ')[0] ?? '', header.split(': ')[1] ?? '']),
    ...(body === undefined ? {} : { method: 'POST', body }),
  })
  return { status: response.status, text: await response.text() }
}

test('every file and command of the page works, in its order', async () => {
  const all = await snippets()
  await using folder = await testFolder()
  await using database = await testDatabase()
  const files = all.flatMap(({ path, text }) => (path === undefined ? [] : [[path, text] as const]))
  assert.deepEqual(
    files.map(([path]) => path),
    ['plugins/orders/plugin.yaml', 'plugins/orders/src/main.ts'],
  )
  await folder.write(Object.fromEntries(files))
  await cp(join(ROOT, 'plugins/hello'), join(folder.path, 'plugins/hello'), { recursive: true })
  await using xcore = await startCli(['start'], { cwd: folder.path, env: { DATABASE_URL: database.url, XCORE_HTTP_PORT: '0' } })
  const cli = (args: readonly string[]) => runCli(args, { cwd: folder.path, env: { XCORE_URL: xcore.url } })

  let jobId = ''
  for (const { text } of all.filter(({ language }) => language === 'sh')) {
    const [program, ...args] = words(text.trim())
    if (program === 'curl') {
      const { status, text: answer } = await curl(xcore.url, args)
      assert.equal(status, text.includes('"quantity": 0') ? 422 : 200, `${text}${answer}`)
      if (!text.includes('teapot')) continue
      const orderId = /"order_id":"([^"]+)"/.exec(answer)?.[1] ?? 'none'
      await xcore.line((line) => line.includes(orderId) && line.includes('"shipped"'))
    } else if (text.startsWith('npm run --silent xcore -- ')) {
      const done = await cli(args.slice(args.indexOf('--') + 1).map((word) => (word === 'JOB_ID' ? jobId : word)))
      assert.equal(done.code, 0, `${text}${done.stderr}`)
      jobId = /^([0-9a-f-]{36}) .*event:order\.placed/m.exec(done.stdout)?.[1] ?? jobId
      if (text.includes('jobs show')) assert.equal(done.stdout.match(/job\.attempt_failed/g)?.length, 2)
    } else {
      assert.match(text, /^npm (ci|start)\n$/)
    }
  }
  assert.notEqual(jobId, '')
})
