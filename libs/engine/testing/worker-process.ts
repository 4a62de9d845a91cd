/**
 * A worker on the database in argv[2] until stdin closes. Its plugin `shop` runs 20 jobs at once; `hang` never ends, `poison` kills
 * the process. Tells `{ready}` once it claims, and `{started: JOB_ID}` for each handler that runs.
 */
import { once } from 'node:events'
import { done, testPlugins } from './plugins.ts'
import type { TestHandler } from './plugins.ts'
import { testEngine } from './running.ts'

const tell = (news: object) => process.stdout.write(`${JSON.stringify(news)}\n`)
const telling =
  (run: TestHandler): TestHandler =>
  (invocation) => (tell({ started: invocation.job.id }), run(invocation))

const plugins = testPlugins({
  shop: {
    limits: { concurrency: 20 },
    settings: { timeoutSeconds: 600 },
    handlers: {
      hang: telling(() => new Promise(() => {})),
      quick: telling(() => done()),
      poison: telling(() => {
        process.kill(process.pid, 'SIGKILL')
        return done()
      }),
    },
  },
})
const running = await testEngine(plugins, { url: process.argv[2] ?? '', worker: `worker/${process.pid}` })
tell({ ready: true })
process.stdin.resume()
await once(process.stdin, 'end')
await running[Symbol.asyncDispose]()
