import { readFileSync, readdirSync } from 'node:fs'
import { hostWith, pluginClass } from '../../libs/plugin-host/testing/plugin-folder.ts'
import type { Ring } from '../../libs/plugin-host/runners/sandboxed/host/rings.ts'
import { RINGS } from '../../libs/plugin-host/runners/sandboxed/host/rings.ts'

// A host that holds a sandbox whose code never rests, tells the ids of all that it started, and waits to be killed.
const ring: Ring = RINGS.find((each) => each === process.argv[2]) ?? 'permission'
const t = await hostWith(
  {
    busy: {
      'plugin.yaml': 'name: busy\nversion: 1.0.0\nexecution_mode: sandboxed\n',
      'src/main.ts': pluginClass(`override handle(name) { if (name === 'spin') for (;;) {} return ok() }`),
    },
  },
  { sandbox: { ring } },
)
void t.run('busy', 'spin')

/** Of everything below a process. */
function below(parent: number): number[] {
  const children = readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!Number.isInteger(pid)) return false
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
      } catch {
        return false
      }
    })
  return children.flatMap((pid) => [pid, ...below(pid)])
}
const sandboxes = below(process.pid).filter((pid) => {
  try {
    return !readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('esbuild')
  } catch {
    return false
  }
})
process.stdout.write(`${JSON.stringify({ dir: t.dir, sandboxes })}\n`)
setInterval(() => {}, 1_000)
