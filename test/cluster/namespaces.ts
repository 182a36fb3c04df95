/**
 * Three hosts on one machine, each in a network namespace of its own, joined by a bridge. It wants root, and a kernel with namespaces and veth.
 * What this does NOT do: slow or cut links (the tests do, with `ip` and `tc`).
 */
import { execFileSync } from 'node:child_process';

export const NAMESPACES = ['spa', 'spb', 'spc'] as const; // The third one is a stranger's, or that of `up`.
export type Namespace = (typeof NAMESPACES)[number];
const BRIDGE = 'spbridge';

export const addressOf = (host: Namespace): string => `10.77.5.${NAMESPACES.indexOf(host) + 1}`;
export const ip = (...words: readonly string[]): void => { execFileSync('ip', words); };
/** What a command is started by there. */
export const inside = (host: Namespace): readonly string[] => ['ip', 'netns', 'exec', host];

export function addNamespaces(): void {
  removeNamespaces();
  ip('link', 'add', BRIDGE, 'type', 'bridge');
  ip('link', 'set', BRIDGE, 'up');
  for (const host of NAMESPACES) {
    ip('netns', 'add', host);
    ip('link', 'add', `v${host}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host);
    ip('link', 'set', `v${host}`, 'master', BRIDGE, 'up');
    ip('-n', host, 'addr', 'add', `${addressOf(host)}/24`, 'dev', 'eth0');
    ip('-n', host, 'link', 'set', 'eth0', 'up');
    ip('-n', host, 'link', 'set', 'lo', 'up');
  }
}

export function removeNamespaces(): void {
  for (const host of NAMESPACES) try { execFileSync('ip', ['netns', 'del', host], { stdio: 'ignore' }); } catch { /* It was not there. */ }
  try { execFileSync('ip', ['link', 'del', BRIDGE], { stdio: 'ignore' }); } catch { /* It was not there. */ }
}
