/** Tar archives as layers: GNU tar makes them, the host's file system says what must be in them; damage and hostile archives. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { emptyDirectory, ImageCatalog, layerFromTar, layOver } from '../../src/image/index.ts';
import { bytesSource, catalogOf, codeOf, describeHost, describeLayer, layerOf, makeRandomTree, tar, temporaryDirectory } from './support.ts';
import { layerFromDirectory } from '../../src/image/live/layer-from-directory.ts';

const directory = temporaryDirectory();
afterAll(() => { fs.rmSync(directory, { recursive: true, force: true }); });
const SECOND = 1_000_000_000n;
const SEEDS = process.env['STILLPOINT_SLOW'] === undefined ? 6 : 100;

/** Header for hostile archives: what GNU tar would not write. */
function header(fields: { readonly name: string; readonly type?: string; readonly size?: number; readonly link?: string; readonly prefix?: string }): Buffer {
  const block = Buffer.alloc(512);
  block.write(fields.name, 0, 'latin1');
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${(fields.size ?? 0).toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write(fields.type ?? '0', 156);
  block.write(fields.link ?? '', 157, 'latin1');
  block.write('ustar\x0000', 257);
  block.write(fields.prefix ?? '', 345, 'latin1');
  return seal(block);
}

function seal(block: Buffer): Buffer {
  block.write('        ', 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function archive(...parts: readonly (Buffer | string)[]): Uint8Array {
  const blocks = parts.map((part) => (typeof part === 'string' ? Buffer.concat([Buffer.from(part, 'latin1'), Buffer.alloc((512 - (part.length % 512)) % 512)]) : part));
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const names = (bytes: Uint8Array): string[] => describeLayer(layerOf(bytes)).map((line) => line.split(' ')[0]!);
const pax = (record: string): (Buffer | string)[] => [header({ name: 'pax', type: 'x', size: record.length }), record];

describe('archives that GNU tar makes', () => {
  for (const format of ['pax', 'gnu'] as const) {
    it(`are read as they were made (${format}, ${SEEDS} random trees)`, () => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const root = join(directory, `${format}-${seed}`);
        fs.mkdirSync(root);
        makeRandomTree(root, seed, { nameBytes: seed % 2 === 0 ? 200 : 12, entries: 80 });
        const granule = format === 'pax' ? 1n : SECOND;
        expect(describeLayer(layerOf(tar(root, [`--format=${format}`])), granule), `seed ${seed}`).toEqual(describeHost(root, granule));
      }
    });
  }

  it('ustar and v7 too, within what they can say', () => {
    const root = join(directory, 'old');
    fs.mkdirSync(join(root, 'a/b'.padEnd(90, 'c'), 'd'.repeat(60)), { recursive: true });
    fs.writeFileSync(join(root, 'plain'), 'x');
    expect(describeLayer(layerOf(tar(root, ['--format=ustar'])), SECOND)).toEqual(describeHost(root, SECOND));
    fs.rmSync(join(root, 'a'), { recursive: true });
    expect(describeLayer(layerOf(tar(root, ['--format=v7'])), SECOND)).toEqual(describeHost(root, SECOND));
  });

  it('directories nearly as deep as a path can be are read from an archive', () => {
    const root = join(directory, 'deep');
    fs.mkdirSync(root);
    execFileSync('sh', ['-c', `cd ${root} && n=$(printf 'd%.0s' $(seq 1 200)) && for i in $(seq 1 19); do mkdir $n && cd $n; done && mkdir $(printf 'e%.0s' $(seq 1 250))`]);
    const bytes = tar(root, ['--format=pax']);
    execFileSync('rm', ['-rf', root]); // Longer than a path from the root may be, so node:fs cannot.
    expect(names(bytes).map((name) => name.length)).toContain(19 * 201 + 250);
  });

  it('a directory of the host gives the layer that its archive gives', () => {
    const root = join(directory, 'same');
    fs.mkdirSync(root);
    makeRandomTree(root, 77, { nameBytes: 30, entries: 100 });
    const mine = describeLayer(layerFromDirectory(root));
    const owners = [process.getuid!(), process.getgid!()];
    const theirs = describeHost(root).map((line) => line.replace(` ${owners[0]} ${owners[1]} `, ' 1000 1000 '));
    expect(mine).toEqual(theirs);
  });

  it('sparse files and multi-volume archives are refused by name', () => {
    const root = join(directory, 'sparse');
    fs.mkdirSync(root);
    execFileSync('truncate', ['-s', '1M', join(root, 'hole')]);
    for (const format of ['gnu', 'pax']) expect(codeOf(() => layerOf(tar(root, ['--sparse', `--format=${format}`])))).toBe('E_IMAGE_UNSUPPORTED');
  });
});

describe('damage', () => {
  const root = join(directory, 'damage');
  fs.mkdirSync(root);
  makeRandomTree(root, 5, { nameBytes: 150, entries: 12 });
  const whole = tar(root, ['--format=pax']);
  const end = whole.length - [...whole].reverse().findIndex((byte) => byte !== 0);
  const dataEnd = Math.ceil(end / 512) * 512;

  it('every truncation is an error with a code', () => {
    for (let length = 0; length < dataEnd + 512; length += length % 512 < 3 ? 1 : 128) {
      expect(['E_IMAGE_FORMAT', 'E_IMAGE_TRUNCATED'], `length ${length}`).toContain(codeOf(() => layerOf(whole.subarray(0, length))));
    }
  });

  it('a flipped bit in a header is found', () => {
    const before = describeLayer(layerOf(whole));
    for (let index = 0; index < 512; index++) {
      const damaged = whole.slice();
      damaged[index]! ^= 1 << (index % 8);
      // Of the check sum itself, the leading zero and what follows its end mean nothing.
      if (index !== 148 && index !== 155) expect(codeOf(() => layerOf(damaged)), `byte ${index}`).toBe('E_IMAGE_FORMAT');
      else expect(describeLayer(layerOf(damaged))).toEqual(before);
    }
  });

  it('flipped bytes anywhere give an archive or a code, never anything else', () => {
    for (let index = 0; index < whole.length; index += 7) {
      const damaged = whole.slice();
      damaged[index]! ^= 0x55;
      expect(codeOf(() => describeLayer(layerOf(damaged)))).toMatch(/^(none|E_IMAGE_\w+)$/);
    }
  });

  it('every flipped byte of a catalog gives a tree or a code', () => {
    const { bytes } = catalogOf(layerOf(whole));
    const open = (changed: Uint8Array): unknown => new ImageCatalog(changed, { digest: '', read: () => () => new Uint8Array(0) });
    for (let index = 0; index < bytes.length; index++) {
      const damaged = bytes.slice();
      damaged[index]! ^= 1 << (index % 8);
      expect(codeOf(() => open(damaged)), `byte ${index}`).toMatch(/^(none|E_IMAGE_FORMAT)$/);
    }
    for (let length = 0; length < bytes.length; length += 5) expect(codeOf(() => open(bytes.slice(0, length)))).toBe('E_IMAGE_FORMAT');
  });
});

describe('archives of a stranger', () => {
  it('absolute paths and .. stay inside', () => {
    expect(names(archive(header({ name: '/etc/passwd' }), header({ name: '../../up' }), header({ name: 'a/../../b' })))).toEqual(['a', 'b', 'etc', 'etc/passwd', 'up']);
  });

  it('links lead nowhere but inside', () => {
    const bytes = archive(header({ name: 'x', type: '2', link: '/../../outside' }), header({ name: 'x/file' }), header({ name: 'loop', type: '2', link: 'loop' }));
    expect(names(bytes)).toEqual(['loop', 'outside', 'outside/file', 'x']);
    expect(codeOf(() => layerOf(archive(header({ name: 'l', type: '2', link: 'l' }), header({ name: 'l/x' }))))).toBe('E_IMAGE_FORMAT');
  });

  it('the last of a name wins', () => {
    const bytes = archive(header({ name: 'a', size: 1 }), 'x', header({ name: 'a', type: '5' }), header({ name: 'a/b' }), header({ name: 'a', size: 2 }), 'yz');
    expect(describeLayer(layerOf(bytes)).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['a 100644']);
  });

  const refusals: readonly (readonly [string, Uint8Array, string])[] = [
    ['a hard link to what is not there', archive(header({ name: 'a', type: '1', link: 'b' })), 'E_IMAGE_FORMAT'],
    ['a hard link to a directory', archive(header({ name: 'd', type: '5' }), header({ name: 'a', type: '1', link: 'd' })), 'E_IMAGE_FORMAT'],
    ['the root as a file', archive(header({ name: './' , type: '2', link: 'x' })), 'E_IMAGE_FORMAT'],
    ['a name of 256 bytes', archive(...pax(`267 path=${'n'.repeat(257)}\n`), header({ name: 'a' })), 'E_IMAGE_FORMAT'],
    ['a path of 5000 bytes', archive(...pax(`5011 path=${'n/'.repeat(2500)}\n`), header({ name: 'a' })), 'E_IMAGE_FORMAT'],
    ['a symbolic link without target', archive(header({ name: 'a', type: '2' })), 'E_IMAGE_FORMAT'],
    ['an unknown type', archive(header({ name: 'a', type: 'Z' })), 'E_IMAGE_UNSUPPORTED'],
    ['a pax record of wrong length', archive(...pax('99 path=x\n'), header({ name: 'a' })), 'E_IMAGE_FORMAT'],
    ['a pax size of a million digits', archive(...pax('20 size=12345678901\n'), header({ name: 'a' })), 'E_IMAGE_LIMIT'],
    ['an extended header at the end', archive(...pax('10 path=x\n')), 'E_IMAGE_FORMAT'],
    ['a name with a zero byte', archive(...pax('12 path=a\0b\n'), header({ name: 'a' })), 'E_IMAGE_FORMAT'],
    ['an extended header of 2 MiB', archive(header({ name: 'x', type: 'x', size: 2 << 20 })), 'E_IMAGE_LIMIT'],
    ['a file larger than the archive', archive(header({ name: 'a', size: 99999 })), 'E_IMAGE_TRUNCATED'],
    ['a whiteout of nothing', archive(header({ name: '.wh.' })), 'E_IMAGE_FORMAT'],
    ['text', Buffer.from('hello world\n'.repeat(100)), 'E_IMAGE_FORMAT'],
    ['nothing', new Uint8Array(0), 'E_IMAGE_FORMAT'],
  ];
  for (const [name, bytes, code] of refusals) it(`${name} is refused with ${code}`, () => { expect(codeOf(() => layerFromTar(bytesSource(bytes), 'x'))).toBe(code); });

  it('directories as deep as links can make them are refused, not followed for ever', () => {
    const deep = 'd/'.repeat(1500);
    const chain = [header({ name: 'l', type: '2', link: 'x' }), ...pax(`3015 linkpath=${deep}\n`), header({ name: 'x', type: '2' })];
    const down = (inside: string): (Buffer | string)[] => [...pax(`${String(3013 + inside.length)} path=l/${deep}${inside}\n`), header({ name: 'y' })];
    expect(codeOf(() => layerOf(archive(...chain, ...down('f'))))).toBe('E_IMAGE_LIMIT');
  });

  it('only files carry data, and an empty record takes a global one back', () => {
    const directory = header({ name: 'd', type: '5' });
    directory.write('00000001000', 124);
    expect(names(archive(seal(directory), header({ name: 'e' })))).toEqual(['d', 'e']);
    const record = '14 path=other\n';
    expect(names(archive(header({ name: 'g', type: 'g', size: record.length }), record, header({ name: 'a' }), ...pax('8 path=\n'), header({ name: 'b' })))).toEqual(['b', 'other']);
  });

  it('negative and huge numbers in base-256 are read or refused', () => {
    const block = header({ name: 'a' });
    block.fill(0xff, 136, 148); // One second before 1970.
    expect(describeLayer(layerOf(archive(seal(block))))[0]).toContain(' -1000000000 ');
    const large = header({ name: 'a' });
    large.fill(0xff, 124, 136);
    expect(codeOf(() => layerOf(archive(seal(large))))).toBe('E_IMAGE_FORMAT');
  });
});

describe('whiteouts', () => {
  const over = (...layers: readonly Uint8Array[]): string[] => {
    const result = emptyDirectory();
    for (const bytes of layers) layOver(result, layerOf(bytes));
    return describeLayer(result).map((line) => line.split(' ')[0]!);
  };
  const lower = archive(header({ name: 'a' }), header({ name: 'd', type: '5' }), header({ name: 'd/x' }), header({ name: 'd/y' }), header({ name: 'usr/lib', type: '5' }), header({ name: 'lib', type: '2', link: 'usr/lib' }));

  it('hide names of lower layers', () => {
    expect(over(lower, archive(header({ name: '.wh.a' }), header({ name: 'd/.wh.x' })))).toEqual(['d', 'd/y', 'lib', 'usr', 'usr/lib']);
  });

  it('an opaque directory hides all that was in it', () => {
    expect(over(lower, archive(header({ name: 'd/.wh..wh..opq' }), header({ name: 'd/z' })))).toEqual(['a', 'd', 'd/z', 'lib', 'usr', 'usr/lib']);
  });

  it('speak of what lies below, not of their own layer, in either order', () => {
    for (const parts of [[header({ name: '.wh.d' }), header({ name: 'd/new' })], [header({ name: 'd/new' }), header({ name: '.wh.d' })]]) {
      expect(over(lower, archive(...parts))).toEqual(['a', 'd', 'd/new', 'lib', 'usr', 'usr/lib']);
    }
  });

  it('a path through a link of a lower layer goes where the link leads, unless the layer has a directory there', () => {
    expect(over(lower, archive(header({ name: 'lib/so' })))).toEqual(['a', 'd', 'd/x', 'd/y', 'lib', 'usr', 'usr/lib', 'usr/lib/so']);
    expect(over(lower, archive(header({ name: 'lib', type: '5' }), header({ name: 'lib/so' })))).toEqual(['a', 'd', 'd/x', 'd/y', 'lib', 'lib/so', 'usr', 'usr/lib']);
  });

  it('are kept in the catalog of a layer', () => {
    const layer = layerOf(archive(header({ name: '.wh.gone' }), header({ name: 'd/.wh..wh..opq' })));
    const catalog = catalogOf(layer);
    expect(catalog.hasMarks).toBe(true);
    expect(catalogOf(catalog.toLayer()).bytes).toEqual(catalog.bytes);
  });
});
