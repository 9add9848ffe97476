/** A site as a unit of systemd: see systemd.service(5), systemd.exec(5) and systemd.socket(5). */

/** What a unit is made from. */
export interface UnitFacts {
  /** `shop`: the unit is `portico-shop.service`. */
  readonly name: string
  readonly description: string
  /** Node, and the launcher that it runs. */
  readonly program: readonly [node: string, launcher: string]
  /** Absolute path, or `module:callable`. */
  readonly target: string
  /** Working directory, absolute. */
  readonly folder: string
  /** `user`: for the service manager of one's own session. */
  readonly scope: 'system' | 'user'
  /** Who everything runs as; '' where Portico itself starts as root and gives its rights away. */
  readonly user: string
  readonly group: string
  /** Below the manager's directories for what runs and what lasts, such as `portico/shop-1a2b3c4d`. */
  readonly directory: string
  /** As socket units name them: `0.0.0.0:80`, `[::]:80`, `/run/shop.sock`. Empty: no socket unit. */
  readonly sockets: readonly string[]
  /** A port below 1024 is listened on. */
  readonly lowPort: boolean
  /** The site lies where ProtectHome= would hide it. */
  readonly inHome: boolean
  /** Something of the site lies in /tmp or /var/tmp. */
  readonly inTmp: boolean
  /** Applications are put into namespaces of their own. */
  readonly sandboxes: boolean
  readonly startTimeoutMs: number
  readonly stopTimeoutMs: number
}

/** Beyond Portico's own bounds, so that it is not killed while it keeps them, s. */
const GRACE_S = 15
const WATCHDOG_S = 30
/** More is not asked for by any site's `limits.connections`. */
const FILES = 1_048_576

/** What a supervisor needs that starts as root and gives its rights away. */
const ROOT_CAPABILITIES = [
  'CAP_NET_BIND_SERVICE',
  'CAP_SETUID',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_CHOWN',
  'CAP_FOWNER',
  'CAP_DAC_OVERRIDE',
  'CAP_KILL',
  'CAP_SYS_CHROOT',
  'CAP_SYS_RESOURCE',
]

export function serviceUnit(facts: UnitFacts): string {
  const { scope, name, sockets } = facts
  const [node, launcher] = facts.program
  const command = [node, launcher].map(word).join(' ')
  const target = word(facts.target)
  const needsSocket = sockets.length > 0 ? [`Requires=portico-${name}.socket`] : []
  return unit({
    Unit: [
      `Description=${plain(facts.description)}`,
      'Documentation=man:portico(1)',
      'Wants=network-online.target',
      `After=network-online.target${sockets.length > 0 ? ` portico-${name}.socket` : ''}`,
      ...needsSocket,
    ],
    Service: [
      'Type=notify',
      'NotifyAccess=main',
      `ExecStart=${command} serve ${target}`,
      `ExecReload=${command} reload ${target}`,
      `WorkingDirectory=${plain(facts.folder)}`,
      ...identity(facts),
      `RuntimeDirectory=${facts.directory}`,
      `StateDirectory=${facts.directory}`,
      'Restart=always',
      'RestartSec=1s',
      `WatchdogSec=${WATCHDOG_S}s`,
      `TimeoutStartSec=${seconds(facts.startTimeoutMs) + GRACE_S}s`,
      `TimeoutStopSec=${seconds(facts.stopTimeoutMs) + GRACE_S}s`,
      // Portico ends its own processes; what is left when it is late is killed as a whole.
      'KillMode=mixed',
      `LimitNOFILE=${FILES}`,
      ...(scope === 'system' ? systemHardening(facts) : []),
      'NoNewPrivileges=yes',
      'LockPersonality=yes',
      'RestrictRealtime=yes',
      'RestrictSUIDSGID=yes',
      'SystemCallArchitectures=native',
    ],
    Install: [`WantedBy=${scope === 'system' ? 'multi-user.target' : 'default.target'}`],
  })
}

/** The sockets stay open while the service restarts: whoever connects meanwhile waits. */
export function socketUnit({ name, description, sockets }: UnitFacts): string {
  return unit({
    Unit: [`Description=${plain(description)}: sockets`],
    Socket: [
      ...sockets.map((socket) => `ListenStream=${plain(socket)}`),
      `Service=portico-${name}.service`,
      'Backlog=4096',
      'NoDelay=yes',
    ],
    Install: ['WantedBy=sockets.target'],
  })
}

function identity({ scope, user, group, lowPort, sandboxes }: UnitFacts): string[] {
  if (scope === 'user') return []
  if (user === '') {
    // Walls are mounts.
    const all = [...ROOT_CAPABILITIES, ...(sandboxes ? ['CAP_SYS_ADMIN'] : [])]
    return [`CapabilityBoundingSet=${all.join(' ')}`]
  }
  const capabilities = lowPort ? 'CAP_NET_BIND_SERVICE' : ''
  return [
    `User=${plain(user)}`,
    ...(group === '' ? [] : [`Group=${plain(group)}`]),
    `AmbientCapabilities=${capabilities}`,
    `CapabilityBoundingSet=${capabilities}`,
  ]
}

/** Which need the system's manager. `systemd-analyze security` explains each. */
function systemHardening({ inHome, inTmp, sandboxes }: UnitFacts): string[] {
  return [
    // Groups of control for the limits of applications.
    'Delegate=yes',
    'ProtectSystem=full',
    `ProtectHome=${inHome ? 'no' : 'yes'}`,
    `PrivateTmp=${inTmp ? 'no' : 'yes'}`,
    'PrivateDevices=yes',
    'ProtectClock=yes',
    'ProtectHostname=yes',
    'ProtectKernelLogs=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelTunables=yes',
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
    ...(sandboxes
      ? []
      : [
          'RestrictNamespaces=yes',
          'SystemCallFilter=@system-service @chown',
          'SystemCallErrorNumber=EPERM',
        ]),
  ]
}

function unit(sections: Readonly<Record<string, readonly string[]>>): string {
  return Object.entries(sections)
    .map(([name, lines]) => `[${name}]\n${lines.join('\n')}\n`)
    .join('\n')
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000)
}

/** One word of a command line, as systemd.syntax(7) and "COMMAND LINES" of systemd.service(5) read it. */
function word(text: string): string {
  const escaped = text.replace(/[\\"]/g, '\\$&').replaceAll('$', '$$$$')
  return plain(/[\s"'\\;]/.test(text) || text === '' ? `"${escaped}"` : escaped)
}

/** `%` begins a specifier; a line ends where it ends. */
function plain(text: string): string {
  return text.replaceAll('%', '%%').replace(/[\r\n]+/g, ' ')
}
