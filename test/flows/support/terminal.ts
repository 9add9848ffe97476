/** A real terminal (a pty, kept by Debian's Python) in which a command runs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { until } from '../../supervisor/site.ts'
import { PYTHON } from './portico.ts'

/** Commands come as lines of JSON; what the terminal shows, and how all ended, goes as such. */
const PROGRAM = `
import fcntl, json, os, pty, select, signal, struct, sys, termios
rows, columns, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
def size(rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', int(rows), int(columns), 0, 0))
size(rows, columns)
before = termios.tcgetattr(terminal)
def tell(**what):
    print(json.dumps(what), flush=True)
poller = select.poll()
poller.register(terminal, select.POLLIN)
poller.register(0, select.POLLIN)
rest = b''
while True:
    ended = False
    for fd, events in poller.poll():
        if fd == terminal:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                data = b''
            if data:
                tell(shown=data.decode('utf8', 'replace'))
            else:
                ended = True
        else:
            data = os.read(0, 65536)
            if not data:
                os.kill(pid, signal.SIGKILL)
                poller.unregister(0)
                continue
            *lines, rest = (rest + data).split(b'\\n')
            for line in lines:
                order = json.loads(line)
                if 'keys' in order: os.write(terminal, order['keys'].encode())
                if 'size' in order: size(*order['size'])
                if 'signal' in order: os.kill(pid, getattr(signal, order['signal']))
    if ended:
        break
_, status = os.waitpid(pid, 0)
try:
    restored = termios.tcgetattr(terminal) == before
except termios.error:
    restored = None
tell(code=os.waitstatus_to_exitcode(status), restored=restored)
`

export interface TerminalEnd {
  readonly code: number
  /** The terminal's modes are as they were before; null: cannot be told. */
  readonly restored: boolean | null
}

export class Terminal {
  /** Everything that was written to it. */
  shown = ''
  readonly ended: Promise<TerminalEnd>
  readonly #child: ChildProcess

  constructor(rows: number, columns: number, command: readonly string[]) {
    this.#child = spawn(PYTHON, ['-c', PROGRAM, `${rows}`, `${columns}`, ...command], {
      env: { ...process.env, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const lines = createInterface({ input: this.#child.stdout! })
    this.ended = new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        const told: { shown?: string } & TerminalEnd = JSON.parse(line)
        if (told.shown === undefined) resolve(told)
        else this.shown += told.shown
      })
      this.#child.once('exit', () => reject(new Error('the terminal ended')))
    })
    this.ended.catch(() => {})
  }

  press(keys: string): void {
    this.#order({ keys })
  }

  resize(rows: number, columns: number): void {
    this.#order({ size: [rows, columns] })
  }

  signal(signal: NodeJS.Signals): void {
    this.#order({ signal })
  }

  /** Waits until what was shown after `from` matches. */
  async shows(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    return until(`${pattern} on the terminal`, () => pattern.exec(this.shown.slice(from)) ?? false)
  }

  #order(order: object): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.stdin?.end()
    await exited
  }
}
