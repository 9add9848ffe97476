/** `portico ca`: the root certificate of a site's own authority, and how to have it trusted. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { EXIT_FAILURE } from './exit.ts'

interface Flags {
  readonly json?: true
  readonly pem?: true
}

const EXAMPLES = `
A site's own authority signs certificates for localhost, for names of a local network and for IP
addresses. Browsers take them once they trust its root. Whoever can read the key beside it can sign for
any name: trust the root of a machine only on those that trust the machine.

Examples:
  portico ca                     where the root is, and what to do with it
  portico ca --pem > root.pem    the root itself
  curl --cacert "$(portico ca --json | jq -r .file)" https://localhost:8443/

Exit codes: 0 there is one, 1 the site has none so far.
`

export function caCommand(program: Command): void {
  program
    .command('ca')
    .description('show the root certificate of a site’s own authority, and how to trust it')
    .argument('[target]', 'what is served', '.')
    .option('--pem', 'print the certificate')
    .option('--json', 'print what is known of it as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, flags: Flags) => {
      const { loadSite } = await import('../site/load.ts')
      const { plan } = await loadSite(target)
      const file = join(plan.acme?.authority ?? join(plan.state, 'authority'), 'root.pem')
      process.exitCode = show(file, flags)
    })
}

function show(file: string, flags: Flags): number {
  let pem: string
  try {
    pem = readFileSync(file, 'latin1')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT'
        ? `this site has no authority of its own so far: ${file} is made when the site is served with local names and an https:// listener without certificates`
        : message
    process.stderr.write(`portico: ${why}\n`)
    return EXIT_FAILURE
  }
  const root = new X509Certificate(pem)
  const name = root.subject.replace(/^CN=/, '')
  const { fingerprint256: fingerprint, validTo } = root
  const expires = new Date(validTo).toISOString()
  if (flags.pem === true) process.stdout.write(pem)
  else if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ file, name, fingerprint, expires })}\n`)
  } else process.stdout.write(text(file, name, fingerprint, expires))
  return 0
}

function text(file: string, name: string, fingerprint: string, expires: string): string {
  return `${file}
  ${name}, until ${expires.slice(0, 10)}
  SHA-256 ${fingerprint}

To trust it:
  Debian, Ubuntu   sudo cp ${file} /usr/local/share/ca-certificates/portico.crt && sudo update-ca-certificates
  Fedora, RHEL     sudo cp ${file} /etc/pki/ca-trust/source/anchors/portico.pem && sudo update-ca-trust
  Arch             sudo trust anchor --store ${file}
  macOS            sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ${file}
  Windows          certutil -addstore -f ROOT ${file}
  Firefox          Settings, Privacy & Security, View Certificates, Authorities, Import
  one program      curl --cacert ${file}; NODE_EXTRA_CA_CERTS=${file}; SSL_CERT_FILE=${file}
`
}
