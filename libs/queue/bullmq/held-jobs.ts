import type { JobId, PluginName } from '../../event-log/ids.ts'
import type { Claim } from '../port.ts'

/** What this process knows of a job that it holds. */
export interface HeldJob {
  readonly jobId: JobId
  readonly plugin: PluginName
  readonly token: string
  /** How many of the job's attempts had ended when it was claimed; a lost one is among them. */
  readonly attempts: number
}

/** The jobs that this process holds, from claim to acknowledgement. */
export class HeldJobs {
  readonly #jobs = new Map<JobId, HeldJob>()
  readonly #seen = new Map<JobId, number>()

  add(job: HeldJob, now: number): void {
    this.#jobs.set(job.jobId, job)
    this.#seen.set(job.jobId, now)
  }

  /** Those of `claims` that are held, which somebody cares for as of now. */
  see(claims: readonly Pick<Claim, 'jobId'>[], now: number): HeldJob[] {
    return claims.flatMap(({ jobId }) => {
      const job = this.#jobs.get(jobId)
      if (job !== undefined) this.#seen.set(jobId, now)
      return job ?? []
    })
  }

  /** Forgets those that nobody has cared for since `before`: their attempts were cancelled or overtaken, so nobody acknowledges them. */
  forget(before: number): void {
    for (const [jobId, seen] of this.#seen) {
      if (seen >= before) continue
      this.#seen.delete(jobId)
      this.#jobs.delete(jobId)
    }
  }

  of(plugin: PluginName): HeldJob[] {
    return [...this.#jobs.values()].filter((job) => job.plugin === plugin)
  }

  /** Those of `claims` that are still held, which they are not any more from now on. */
  take(claims: readonly Pick<Claim, 'jobId'>[]): HeldJob[] {
    return claims.flatMap(({ jobId }) => {
      const job = this.#jobs.get(jobId)
      if (job === undefined) return []
      this.#jobs.delete(jobId)
      this.#seen.delete(jobId)
      return [job]
    })
  }
}
