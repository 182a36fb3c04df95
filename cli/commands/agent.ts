/**
 * The verbs of clusters over several hosts: keys makes what they share, agent runs nodes on one of them.
 */
import type { Command } from 'commander';
import { makeKeys, runAgent, runDesk } from '../../src/index.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { note } from '../terminal.ts';

interface AgentFlags { readonly keys: string; readonly listen: string; readonly store?: string; readonly work?: string }

export function addAgentCommands(program: Command): void {
  program
    .command('keys')
    .description('make the keys that hosts of a cluster share')
    .argument('<file>', 'a new file, readable by you alone; copy it to every host')
    .addHelpText('after', '\nExample:\n  stillpoint keys cluster.keys')
    .action((file: string) => makeKeys(file));
  program.command('cluster-desk', { hidden: true }).description('answers for a store; started by agent').action(() => runDesk());
  program
    .command('agent')
    .description('run nodes of clusters on this host, for up on another one')
    .requiredOption('--keys <file>', 'the key file that up has, too')
    .option('--listen <address:port>', 'where up reaches this host', '127.0.0.1:7410')
    .option('--store <dir>', 'the store for the nodes that run here')
    .option('--work <dir>', 'directory for the files of the nodes (default: STORE.files)')
    .addHelpText('after', `
Example:
  stillpoint keys cluster.keys                                        once; copy it to every host
  stillpoint agent --keys cluster.keys --listen 10.0.0.2:7410         on the host that the manifest calls 10.0.0.2
  stillpoint up words.yaml --keys cluster.keys                        on your own
Ctrl-C stops the nodes at a resumable point. Nobody without the keys is heard.`)
    .action(async (flags: AgentFlags) => {
      const stop = stopOnSignals();
      try {
        await runAgent({
          keys: flags.keys, listen: flags.listen, store: flags.store, work: flags.work, entry: [process.argv[1]!, 'cluster-process'], deskEntry: [process.argv[1]!, 'cluster-desk'], stopRequested: stop.requested,
          onListening: (endpoint) => { note(`agent listens at ${endpoint.replace(/^tcp:\/\//, '')}`); },
          onRemark: note,
        });
      } finally {
        stop.end();
      }
    });
}
