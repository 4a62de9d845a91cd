import { XCoreError } from '../errors/index.ts'

/**
 * Runs `work` and rejects with XCoreError `timeout` when it takes longer than `milliseconds`. Work that is given up goes on
 * unobserved; what it comes to is ignored. The timer keeps the process alive, so that a hung hook ends as an error and not
 * as a silent exit.
 */
export async function withDeadline<T>(milliseconds: number, what: string, work: () => T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(
        new XCoreError('timeout', `${what} did not finish within ${milliseconds / 1000} s; await less in it, or check what it waits for`),
      )
    }, milliseconds)
  })
  try {
    return await Promise.race([(async () => work())(), late])
  } finally {
    clearTimeout(timer)
  }
}
