/** Methods of services that the host runs for a sandboxed plugin, as they are: arguments and answers are values. */
export const SERVICE_METHODS: Readonly<Record<string, readonly string[]>> = {
  cache: ['get', 'set', 'delete', 'exists', 'clear', 'keys', 'mget', 'mset'],
  files: ['read', 'readText', 'write', 'append', 'delete', 'exists', 'list', 'stat', 'usage'],
  db: ['query'],
  scheduler: ['removeJob', 'pauseJob', 'resumeJob', 'getJobs'],
}
