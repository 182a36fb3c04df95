/**
 * Completion scripts for shells, made from the declared commands: verbs, their options, names of runs where a verb takes one, files elsewhere.
 * What they complete is in the script itself, so that a key press starts no process; names of runs are asked of `stillpoint ls -q`.
 * What this does NOT do: complete checkpoints, or the arguments of a guest (they are files to the shell).
 */
import type { Argument, Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Flag { readonly names: readonly string[]; readonly takesValue: boolean; readonly says: string }
interface Verb {
  /** Of a verb of `image`: both words. */
  readonly name: string;
  readonly says: string;
  readonly flags: readonly Flag[];
  readonly takesRuns: boolean;
  /** What stands behind the first argument belongs to the program of the guest. */
  readonly startsProgram: boolean;
}

const RUNS: ReadonlySet<string> = new Set(['run', 'runs', 'first', 'second', 'from', 'branch']);
const PROGRAMS: ReadonlySet<string> = new Set(['program', 'arguments', 'stages']);

export function completionScript(program: Command, shell: Shell): string {
  const help = program.createHelp();
  const shown = (command: Command): readonly Command[] => help.visibleCommands(command).filter((inner) => inner.name() !== 'help');
  const verbs = shown(program).flatMap((command) => (command.commands.length === 0 ? [verbOf(command, command.name())] : shown(command).map((inner) => verbOf(inner, `${command.name()} ${inner.name()}`))));
  if (shell === 'fish') return fishScript(verbs);
  return shell === 'bash' ? bashScript(verbs) : `#compdef stillpoint\nautoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(verbs)}`;
}

function verbOf(command: Command, name: string): Verb {
  const names = command.registeredArguments.map((argument: Argument) => argument.name());
  return {
    name, says: command.description(), flags: command.createHelp().visibleOptions(command).map(flagOf),
    takesRuns: names.some((argument) => RUNS.has(argument)), startsProgram: names.some((argument) => PROGRAMS.has(argument)) || name === 'cc',
  };
}

function flagOf({ long, short, required, optional, description }: Option): Flag {
  return { names: [long, short].filter((name) => name !== undefined && name !== null), takesValue: required || optional, says: description };
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Lines of a case statement that print something for each verb for which there is something. */
function cases(verbs: readonly Verb[], text: (verb: Verb) => string): string {
  return verbs.map((verb) => [verb.name, text(verb)] as const).filter(([, words]) => words !== '').map(([name, words]) => `    ${quoted(name)}) printf '%s\\n' ${words} ;;`).join('\n');
}

function bashScript(verbs: readonly Verb[]): string {
  const groups = new Set(verbs.filter(({ name }) => name.includes(' ')).map(({ name }) => name.split(' ')[0]!));
  const first = [...new Set(verbs.map(({ name }) => name.split(' ')[0]!)), 'help'];
  return `# Completion of stillpoint; made by: stillpoint completion
_stillpoint_options() {
  case $1 in
${cases(verbs, ({ flags }) => flags.flatMap(({ names }) => names.filter((name) => name.startsWith('--'))).map(quoted).join(' '))}
  esac
}
_stillpoint_values() {
  case $1 in
${cases(verbs, ({ flags }) => flags.filter(({ takesValue }) => takesValue).flatMap(({ names }) => names).map(quoted).join(' '))}
  esac
}
_stillpoint_inner() {
  case $1 in
${[...groups].map((group) => `    ${quoted(group)}) printf '%s\\n' ${verbs.filter(({ name }) => name.startsWith(`${group} `)).map(({ name }) => quoted(name.slice(group.length + 1))).join(' ')} ;;`).join('\n')}
    *) ;;
  esac
}
_stillpoint() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} verb= inner= values= word= index= arguments=0 store=()
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [[ -z $verb ]]; then
      [[ $word == -* ]] || { verb=$word; inner=$(_stillpoint_inner "$verb"); values=$(_stillpoint_values "$verb"); }
    elif [[ -n $inner ]]; then
      verb="$verb $word"; inner=; values=$(_stillpoint_values "$verb")
    elif [[ $word == -* && $arguments == 0 ]] || [[ $word == --* ]]; then
      [[ $word == --store ]] && store=(--store "\${COMP_WORDS[index+1]}")
      grep -qxF -e "$word" <<< "$values" && ((index++))
    else ((arguments++))
    fi
  done
  if [[ -z $verb ]]; then COMPREPLY=($(compgen -W ${quoted([...first, '--help', '--version'].join(' '))} -- "$current")); return; fi
  if [[ -n $inner ]]; then COMPREPLY=($(compgen -W "$inner" -- "$current")); return; fi
  case $verb in
    help) COMPREPLY=($(compgen -W ${quoted(first.join(' '))} -- "$current")); return ;;
    ${verbs.filter(({ startsProgram }) => startsProgram).map(({ name }) => quoted(name)).join('|')}) ((arguments > \${_stillpoint_before[$verb]:-0})) && return ;;
  esac
  if grep -qxF -e "$previous" <<< "$values"; then return; fi
  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W "$(_stillpoint_options "$verb")" -- "$current")); return; fi
  [[ -n \${_stillpoint_before[$verb]} ]] && ((arguments >= _stillpoint_before[$verb])) && return
  case $verb in
    ${verbs.filter(({ takesRuns }) => takesRuns).map(({ name }) => quoted(name)).join('|')}) COMPREPLY=($(compgen -W "$(stillpoint ls -q "\${store[@]}" 2> /dev/null)" -- "$current")) ;;
  esac
}
# Arguments of these before those of a program.
declare -A _stillpoint_before=(${verbs.filter(({ startsProgram, takesRuns }) => startsProgram && takesRuns).map(({ name }) => `[${name}]=1`).join(' ')})
complete -o default -F _stillpoint stillpoint
`;
}

function fishScript(verbs: readonly Verb[]): string {
  const lines = ['# Completion of stillpoint; made by: stillpoint completion'];
  const first = new Map(verbs.map(({ name, says }) => (name.includes(' ') ? [name.split(' ')[0]!, ''] : [name, says])));
  for (const [name, says] of first) lines.push(`complete -c stillpoint -n __fish_use_subcommand -f -a ${name}${says === '' ? '' : ` -d ${fishText(says)}`}`);
  for (const { name, says, flags, takesRuns } of verbs) {
    const [outer, inner] = name.split(' ');
    const here = quoted(`__fish_seen_subcommand_from ${outer}${inner === undefined ? '' : `; and __fish_seen_subcommand_from ${inner}`}`);
    if (inner !== undefined) lines.push(`complete -c stillpoint -n ${quoted(`__fish_seen_subcommand_from ${outer}`)} -f -a ${inner} -d ${fishText(says)}`);
    if (takesRuns) lines.push(`complete -c stillpoint -n ${here} -a '(stillpoint ls -q 2> /dev/null)'`);
    for (const flag of flags) {
      const names = flag.names.map((option) => (option.startsWith('--') ? `-l ${option.slice(2)}` : `-s ${option.slice(1)}`)).join(' ');
      lines.push(`complete -c stillpoint -n ${here} ${names}${flag.takesValue ? ' -r' : ''} -d ${fishText(flag.says)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** fish escapes within quotes by a backslash. */
function fishText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
