/**
 * What planning a cluster asks of this host. What this does NOT do: create or change anything.
 */
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { NodeHostInspector } from '../../manifest/live/host-inspector.ts';
import type { ClusterHost } from '../plan.ts';

export class NodeClusterHost extends NodeHostInspector implements ClusterHost {
  readonly processors = availableParallelism();

  isDirectory(path: string): boolean {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  }

  matches(pattern: string): readonly string[] | undefined {
    const directory = dirname(pattern);
    const [before = '', after = ''] = pattern.slice(directory.length).replace(/^\//, '').split('*');
    try {
      const names = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile() || entry.isSymbolicLink()).map((entry) => entry.name);
      return names.filter((name) => name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after) && !(name.startsWith('.') && before === '')).sort().map((name) => join(directory, name));
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause) return undefined; // Everything that fs throws has one.
      throw cause;
    }
  }
}
