/**
 * Three hosts on one machine, each in a network namespace of its own, joined by a bridge. It wants root, and a kernel with namespaces and veth;
 * links that lose packets want nft (package nftables). What this does NOT do: slow or cut links (the tests do, with `ip` and `tc`).
 */
import { execFileSync } from 'node:child_process';

export const NAMESPACES = ['spa', 'spb', 'spc'] as const; // The third one is a stranger's, or that of `up`.
export type Namespace = (typeof NAMESPACES)[number];
const BRIDGE = 'spbridge';

export const addressOf = (host: Namespace): string => `10.77.5.${NAMESPACES.indexOf(host) + 1}`;
export const ip = (...words: readonly string[]): void => { execFileSync('ip', words); };
/** What a command is started by there. */
export const inside = (host: Namespace): readonly string[] => ['ip', 'netns', 'exec', host];

/** From now on a host loses so many of a hundred packets that come to it. */
export function lose(host: Namespace, percent: number): void {
  execFileSync('ip', [...inside(host).slice(1), 'nft', `add table inet loss; add chain inet loss in { type filter hook input priority 0; }; add rule inet loss in numgen random mod 100 < ${percent} counter drop`]);
}

/** Ends that; how many packets were lost. */
export function loseNoMore(host: Namespace): number {
  const rules = execFileSync('ip', [...inside(host).slice(1), 'nft', 'list', 'table', 'inet', 'loss'], { encoding: 'utf8' });
  execFileSync('ip', [...inside(host).slice(1), 'nft', 'delete table inet loss']);
  return Number(/counter packets (\d+)/.exec(rules)![1]);
}

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

/** A namespace takes its devices along some time after it is gone from the list, so they go by name. */
export function removeNamespaces(): void {
  const gone = [...NAMESPACES.map((host) => ['link', 'del', `v${host}`]), ...NAMESPACES.map((host) => ['netns', 'del', host]), ['link', 'del', BRIDGE]];
  for (const words of gone) try { execFileSync('ip', words, { stdio: 'ignore' }); } catch { /* It was not there. */ }
}
