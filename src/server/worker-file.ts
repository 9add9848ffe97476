/** Sends a file that an application handed over (`wsgi.file_wrapper`) as the body of its answer. */
import { close, constants as fsConstants, fstat, open } from 'node:fs'
import { sendFile } from '../handlers/files/send.ts'
import type { Job } from '../transports/worker-link/job.ts'
import type { FileBody } from '../transports/worker-link/link.ts'

/** `opened` is told at once whether the worker may let go of the file. */
export function sendWorkerFile(job: Job, file: FileBody, opened: (ok: boolean) => void): void {
  // Never waits for a writer, whatever the path turns out to be.
  open(file.path, fsConstants.O_RDONLY | fsConstants.O_NONBLOCK, (failed, fd) => {
    if (failed !== null) return opened(false)
    fstat(fd, (unknown, stats) => {
      if (unknown !== null || !stats.isFile()) {
        close(fd, () => {})
        return opened(false)
      }
      opened(true)
      const answer = job.handOver()
      if (answer === null) return close(fd, () => {})
      sendFile(job.exchange, answer.head, fd, file.offset, file.length)
    })
  })
}
