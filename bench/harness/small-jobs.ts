/** The payload of every bench job: small, as most are. */
export function smallJob(index: number): { index: number; name: string } {
  return { index, name: 'noop' }
}

/** The numbers below `total`, in runs of at most `size`. */
export function* chunks(total: number, size: number): Generator<number[]> {
  for (let start = 0; start < total; start += size)
    yield Array.from({ length: Math.min(size, total - start) }, (_, offset) => start + offset)
}
