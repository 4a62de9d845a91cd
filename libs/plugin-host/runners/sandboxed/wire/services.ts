/** Methods of services that the host runs for a sandboxed plugin, as they are: arguments and answers are values. */
export const SERVICE_METHODS: Readonly<Record<string, readonly string[]>> = {
  cache: ['get', 'set', 'delete', 'exists', 'clear', 'keys', 'mget', 'mset'],
  files: ['read', 'readText', 'write', 'append', 'delete', 'exists', 'list', 'stat', 'usage'],
  // Its methods are calls of their own, for they keep something open.
  db: [],
}
