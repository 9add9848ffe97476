/** logrotate(8): the access log is renamed, then opened anew on signal USR1. */

export function logrotate(
  file: string,
  stop: { readonly unit: string; readonly user: string },
): string {
  const su = stop.user === '' ? [] : [`    su ${stop.user} ${stop.user}`]
  return `"${file}" {
    daily
    rotate 14
    missingok
    notifempty
    compress
    delaycompress
${su.map((line) => `${line}\n`).join('')}    sharedscripts
    postrotate
        systemctl kill --kill-who=main --signal=USR1 ${stop.unit} 2>/dev/null || true
    endscript
}
`
}
