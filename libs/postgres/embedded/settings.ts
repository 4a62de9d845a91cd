export interface ServerSettings {
  readonly port: number
  /** False: nothing is forced to disk, for servers whose data may be lost (tests). */
  readonly durable: boolean
}

/** For a queue's load (small hot tables, many short commits) on a small machine that also runs XCore itself. */
export function serverArguments({ port, durable }: ServerSettings): string[] {
  const settings: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port,
    // TCP only: the path of a unix socket may not be longer than 107 bytes.
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '256MB',
    wal_compression: 'on',
    wal_buffers: '16MB',
    max_wal_size: '2GB',
    min_wal_size: '256MB',
    checkpoint_timeout: '15min',
    random_page_cost: 1.1,
    // Short statements only: compiling them, or starting parallel workers for them, costs more than it saves.
    jit: 'off',
    max_parallel_workers_per_gather: 0,
    // The queue's tables turn over completely every few seconds under load.
    autovacuum_naptime: '5s',
    autovacuum_vacuum_cost_limit: 2000,
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    log_line_prefix: '',
    // Statements carry payloads; they stay out of the log.
    log_min_error_statement: 'panic',
    ...(durable
      ? {}
      : {
          fsync: 'off',
          synchronous_commit: 'off',
          full_page_writes: 'off',
          wal_level: 'minimal',
          max_wal_senders: 0,
          max_wal_size: '256MB',
          min_wal_size: '64MB',
        }),
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
