import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { commandOf } from '../../libs/plugin-host/runners/sandboxed/host/rings.ts'
import type { Ring } from '../../libs/plugin-host/runners/sandboxed/host/rings.ts'
import { HOST_SECRET, makeGround } from './harness.ts'

// Node's permission model is taken away, as somebody would have done who found a hole in it: what do the other rings stop?
const PROGRAM = `
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
const [port, parent] = process.argv.slice(2)
const tries = {
  shadow: () => fs.readFileSync('/etc/shadow', 'utf8').length > 0,
  environment: () => fs.readFileSync('/proc/' + parent + '/environ', 'utf8').includes(${JSON.stringify(HOST_SECRET)}),
  memory: () => fs.openSync('/proc/' + parent + '/mem', 'r') > 0,
  descriptors: () => fs.readdirSync('/proc/' + parent + '/fd').length > 0,
  signal: () => process.kill(Number(parent), 0),
  root: () => { process.setuid(0); return process.getuid() === 0 },
  write: () => { fs.writeFileSync('/tmp/' + process.pid + '.txt', 'x'.repeat(10)); return true },
  passwd: () => fs.readFileSync('/etc/passwd', 'utf8').length > 0,
  others: () => fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length > 3,
  sudo: () => execFileSync('su', ['-c', 'id']).includes('uid=0'),
  threads: () => { const all = []; for (let i = 0; i < 200; i++) { const one = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 3000)'], { stdio: 'ignore' }); one.on('error', () => {}); all.push(one.pid) } const ran = all.filter((pid) => pid !== undefined).length; for (const pid of all) if (pid !== undefined) try { process.kill(pid, 9) } catch {}; return ran >= 200 },
  core: () => fs.readFileSync('/proc/self/limits', 'utf8').match(/Max core file size +(\\S+)/)[1] !== '0',
  privileges: () => !/NoNewPrivs:\\s1/.test(fs.readFileSync('/proc/self/status', 'utf8')),
  capabilities: () => !/CapEff:\\s0{16}/.test(fs.readFileSync('/proc/self/status', 'utf8')),
  inherited: () => fs.readdirSync('/proc/self/fd').map(Number).filter((fd) => { try { const link = fs.readlinkSync('/proc/self/fd/' + fd); return fd > 3 && link.startsWith('/') && !link.startsWith('/proc') && !link.startsWith('/dev') } catch { return false } }).length > 0,
  network: async () => { const socket = net.connect(Number(port), '127.0.0.1'); await once(socket, 'connect'); socket.destroy(); return true },
}
const got = {}
for (const [name, attempt] of Object.entries(tries)) {
  try { got[name] = (await attempt()) === true } catch { got[name] = false }
}
process.stdout.write(JSON.stringify(got) + '\\n')
process.exit(0)
`

/** What gets through once Node's own model is broken. docs/security.md tells the same. */
const THROUGH: Readonly<Record<Ring, readonly string[] | null>> = {
  // Nothing but the limits is left: that is why it is called the weakest.
  permission: null,
  uid: ['passwd', 'others', 'network'],
  bwrap: [],
}

for (const ring of ['uid', 'bwrap'] as const) {
  test(`without Node's permission model, the ring ${ring} still holds`, async (t) => {
    await using ground = await makeGround()
    const plan = ground.plan(ring)
    if (plan.uid === null || (ring === 'bwrap' && plan.tools.bwrap === null)) return t.skip('not on this machine')
    const folder = join(ground.folder, 'naked')
    await mkdir(folder, { mode: 0o755 })
    const program = join(folder, 'main.mjs')
    await writeFile(program, PROGRAM, { mode: 0o644 })
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const [command, ...args] = commandOf({ ...plan, program, bundle: program })
    const open = args.filter((arg) => !/^--(permission|allow-fs|no-addons|freeze)/.test(arg))
    const child = spawn(command, [...open, String(port), String(process.pid)], {
      env: {},
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    })
    let text = ''
    let errors = ''
    child.stdout?.on('data', (piece: Buffer) => (text += piece.toString()))
    child.stderr?.on('data', (piece: Buffer) => (errors += piece.toString()))
    await once(child, 'close')
    server.close()
    assert.match(text, /^\{/, errors)
    const got: unknown = JSON.parse(text)
    const through = Object.entries(Object(got)).flatMap(([name, yes]) => (yes === true ? [name] : []))
    assert.deepEqual(
      through.filter((name) => THROUGH[ring]?.includes(name) !== true),
      [],
      text,
    )
  })
}
