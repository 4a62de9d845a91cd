/** Shows how far long work is: one line, redrawn in a terminal; nothing anywhere else, so that logs and pipes stay clean. */
export interface Progress {
  update(done: number, total: number): void
  /** Ends the line. */
  end(): void
}

const WIDTH = 30

export function createProgress(label: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return { update: () => {}, end: () => {} }
  let drawn = ''
  return {
    update(done, total) {
      const line = progressLine(label, done, total)
      if (line === drawn) return
      drawn = line
      stream.write(`\r${line}\u001b[K`)
    },
    end() {
      if (drawn !== '') stream.write('\n')
      drawn = ''
    },
  }
}

/** `Rebuilding [######----] 60 %  600/1000`; a total of 0 counts as done. */
export function progressLine(label: string, done: number, total: number): string {
  const share = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total))
  const filled = Math.round(share * WIDTH)
  return `${label} [${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}] ${Math.floor(share * 100)} %  ${done}/${total}`
}
