import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createDatabase } from './database.ts'
import { startEmbedded } from './embedded.ts'
import type { EmbeddedServer } from './embedded.ts'
import { isAlive, startOf, stopServer } from './embedded/processes.ts'
import { startProcess } from './testing/processes/process.ts'
import { testLogger } from './testing/index.ts'

/** With a space, and longer than a unix socket's path may be. */
let dataDir: string
let root: string
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'xcore embedded '))
  dataDir = join(root, 'a folder '.repeat(15).trim(), 'postgres')
})
after(() => rm(root, { recursive: true, force: true }))

const start = () => startEmbedded({ dataDir, durable: false, logger: testLogger })

async function query(url: string, sql: string): Promise<unknown[]> {
  const db = createDatabase({ url, applicationName: 'embedded test' })
  try {
    return await db.run(sql)
  } finally {
    await db.close()
  }
}

async function withServer(use: (server: EmbeddedServer) => Promise<void>): Promise<void> {
  const server = await start()
  try {
    await use(server)
  } finally {
    await server.stop()
  }
}

test('keeps data from one start to the next, with the same password, and leaves no process', async () => {
  let pid = 0
  await withServer(async (server) => {
    pid = server.pid()
    await query(server.url, 'create table kept (id int); insert into kept values (7)')
    await server.stop()
  })
  assert.equal(await startOf(pid), undefined)
  await withServer(async ({ url }) => {
    assert.deepEqual(await query(url, 'select id from kept'), [{ id: 7 }])
  })
})

test('listens on loopback only, asks for a password, and hides it from other users', async () => {
  await withServer(async (server) => {
    assert.deepEqual(
      await query(server.url, "select current_setting('listen_addresses') as a, current_setting('unix_socket_directories') as s"),
      [{ a: '127.0.0.1', s: '' }],
    )
    const guess = new URL(server.url)
    guess.password = 'guess'
    await assert.rejects(query(guess.href, 'select 1'), { code: 'database_unavailable' })
    assert.equal((await stat(join(dataDir, 'password'))).mode & 0o777, 0o600)
    assert.equal((await stat(join(dataDir, 'cluster'))).mode & 0o077, 0)
  })
})

test('refuses a folder that a living XCore process uses, naming its pid', async () => {
  await using owner = startProcess('embedded', [dataDir])
  const { url } = await owner.next()
  await assert.rejects(start(), { code: 'database_unavailable', message: new RegExp(`process ${owner.pid} runs it`) })
  assert.deepEqual(await query(String(url), 'select 1 as one'), [{ one: 1 }])
})

test('refuses a second start in the same process', async () => {
  await withServer(async () => {
    await assert.rejects(start(), { code: 'database_unavailable', message: /this process already runs it/ })
  })
})

test('of several processes that start at once one gets the folder', async () => {
  const owners = Array.from({ length: 3 }, () => startProcess('embedded', [dataDir]))
  const outcomes = await Promise.allSettled(owners.map((owner) => owner.next()))
  await Promise.all(owners.map((owner) => owner.end()))
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('starts after its owner was killed, and no server is left behind', async () => {
  const owner = startProcess('embedded', [dataDir])
  const { pid } = await owner.next()
  await owner.kill('SIGKILL')
  await withServer(async (server) => {
    assert.equal(await startOf(Number(pid)), undefined)
    assert.deepEqual(await query(server.url, 'select id from kept'), [{ id: 7 }])
  })
})

/** An owner without setpriv in its PATH: the kernel won't stop its server with it. */
async function startUnguarded() {
  // mkdtemp closes its folder to others, and without setpriv the server of root can't pass that.
  await chmod(root, 0o755)
  return startProcess('embedded', [dataDir], { PATH: join(root, 'nothing') })
}

test('stops a server that outlived its killed owner', async () => {
  const owner = await startUnguarded()
  const { pid } = await owner.next()
  await owner.kill('SIGKILL')
  assert.ok(isAlive(Number(pid)))
  await withServer(async (server) => {
    assert.equal(await startOf(Number(pid)), undefined)
    assert.deepEqual(await query(server.url, 'select id from kept'), [{ id: 7 }])
  })
})

test('leaves a server alone that somebody else runs on the folder', async () => {
  const owner = await startUnguarded()
  const { url, pid } = await owner.next()
  await owner.kill('SIGKILL')
  await rm(join(dataDir, 'owner'))
  await assert.rejects(start(), { code: 'database_unavailable', message: new RegExp(`server ${String(pid)}, not started by XCore`) })
  assert.deepEqual(await query(String(url), 'select 1 as one'), [{ one: 1 }])
  await stopServer(Number(pid))
})

test('starts after owner and server were killed at once', async () => {
  const owner = startProcess('embedded', [dataDir])
  const { pid } = await owner.next()
  process.kill(Number(pid), 'SIGKILL')
  await owner.kill('SIGKILL')
  await withServer(async ({ url }) => {
    assert.deepEqual(await query(url, 'select id from kept'), [{ id: 7 }])
  })
})

test('starts when the pids that a killed owner left belong to unrelated processes now', async () => {
  const unrelated = process.pid
  await withServer((server) => server.stop())
  await writeFile(
    join(dataDir, 'cluster', 'postmaster.pid'),
    `${unrelated}\n${join(dataDir, 'cluster')}\n1700000000\n5432\n\n127.0.0.1\n\nready\n`,
  )
  await writeFile(join(dataDir, 'owner'), JSON.stringify({ pid: unrelated, start: 'an earlier boot:1' }))
  await withServer(async ({ url }) => {
    assert.deepEqual(await query(url, 'select id from kept'), [{ id: 7 }])
  })
  assert.ok(isAlive(unrelated))
})

test('starts when the claim of an earlier owner is not readable as one', async () => {
  await writeFile(join(dataDir, 'owner'), '')
  await withServer(async ({ url }) => {
    assert.deepEqual(await query(url, 'select id from kept'), [{ id: 7 }])
  })
})

test('removes a cluster that was half made', async () => {
  await mkdir(join(dataDir, 'cluster.new-1', 'base'), { recursive: true })
  await withServer(async () => {
    await assert.rejects(stat(join(dataDir, 'cluster.new-1')), { code: 'ENOENT' })
  })
})

test('starts a server that was killed again, on the same port', async () => {
  await withServer(async (server) => {
    const pid = server.pid()
    const pool = createDatabase({ url: server.url, applicationName: 'embedded test' })
    try {
      await pool.ready()
      process.kill(pid, 'SIGKILL')
      // Each try ends by itself: refused at once, or answered.
      while (
        !(await pool.ready().then(
          () => server.pid() !== pid,
          () => false,
        ))
      );
      assert.deepEqual(await pool.run('select id from kept'), [{ id: 7 }])
    } finally {
      await pool.close()
    }
  })
})

test('names the version of a data folder that it cannot use', async () => {
  const old = join(root, 'old')
  await mkdir(join(old, 'cluster'), { recursive: true })
  await writeFile(join(old, 'cluster', 'PG_VERSION'), '15\n')
  await assert.rejects(startEmbedded({ dataDir: old, logger: testLogger }), {
    code: 'database_unavailable',
    message: /Expected a PostgreSQL 18 data folder.*found version 15/,
  })
  // The folder is free again.
  await assert.rejects(readFile(join(old, 'owner')), { code: 'ENOENT' })
})

test('says which folder it cannot write', async () => {
  const file = join(root, 'a-file')
  await writeFile(file, '')
  await assert.rejects(startEmbedded({ dataDir: join(file, 'postgres'), logger: testLogger }), {
    code: 'database_unavailable',
    message: /a-file.*ENOTDIR/,
  })
})
