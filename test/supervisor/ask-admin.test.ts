import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { askAdmin } from '../../src/supervisor/ask-admin.ts'

it('who asks for a site that does not run is told which do', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-neighbours-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const missing = join(folder, 'shop.sock')
  await expect(askAdmin(missing, 'GET', '/status')).rejects.toThrow(/with --admin$/)

  const neighbour = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => neighbour.listen(join(folder, 'blog.sock'), resolve))
  onTestFinished(() => void neighbour.close())
  writeFileSync(join(folder, 'file.sock'), 'no socket')
  await expect(askAdmin(missing, 'GET', '/status')).rejects.toThrow(
    new RegExp(`with --admin; these run: ${folder}/blog.sock$`),
  )
})
