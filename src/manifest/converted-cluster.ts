/**
 * What a foreign description of a job becomes: the content of a cluster manifest and remarks for its reader. Importers fill it; live/convert.ts writes it.
 * Invariant: nothing is dropped silently: what has no counterpart is a remark when the result is the same without it, else a complaint.
 */
import { complain } from './parse-values.ts';
import type { Place } from './settings.ts';

export type ConvertedFile = { readonly in: string } | { readonly out: string } | { readonly append: string } | { readonly rw: string };
export type ConvertedLimits = Partial<Record<'gets' | 'getBytes' | 'puts' | 'putBytes', number>>;

export interface ConvertedGroup {
  program: string;
  arguments?: readonly string[];
  environment?: Readonly<Record<string, string>>;
  count?: number;
  replicas?: number;
  memory?: number;
  files?: Record<string, ConvertedFile>;
  limits?: Record<string, ConvertedLimits>;
  stdin?: string;
  stdout?: string;
  stderr?: string;
}
export interface ConvertedChannel { from: string; to: string; pattern?: 'self'; name?: string; limits?: ConvertedLimits }
export interface ConvertedCluster { readonly groups: Record<string, ConvertedGroup>; readonly channels: ConvertedChannel[]; readonly remarks: string[] }

/** One line of arguments: blanks split, double quotes group, \xHH is a byte of text. */
export function splitArguments(line: string, place: Place): readonly string[] {
  const words: string[] = [];
  const decode = (text: string): string => text.replace(/\\x([0-9a-fA-F]{2})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  for (const [, quoted, plain] of line.matchAll(/"([^"]*)"|([^\s"]+)/g)) words.push(decode(quoted ?? plain ?? ''));
  if (line.split('"').length % 2 === 0) throw complain(place, 'a quote is not closed');
  return words.map(escapeWord);
}

/** A word that would be `@FILE` here. */
export function escapeWord(word: string): string {
  return word.startsWith('@') ? `@${word}` : word;
}

/** A remark once, however often it applies. */
export function remark({ remarks }: ConvertedCluster, text: string): void {
  if (!remarks.includes(text)) remarks.push(text);
}
