/** Makes OCI image layouts by hand, after the specification. Does NOT judge. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';

export interface Descriptor { readonly mediaType: string; readonly digest: string; readonly size: number; readonly platform?: object }

export class Layout {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
    fs.mkdirSync(join(this.path, 'blobs/sha256'), { recursive: true });
    fs.writeFileSync(join(this.path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  add(mediaType: string, bytes: Uint8Array | object): Descriptor {
    const content = bytes instanceof Uint8Array ? bytes : Buffer.from(JSON.stringify(bytes));
    const digest = createHash('sha256').update(content).digest('hex');
    fs.writeFileSync(join(this.path, 'blobs/sha256', digest), content);
    return { mediaType, digest: `sha256:${digest}`, size: content.length };
  }

  manifest(layers: readonly Descriptor[], program?: object): Descriptor {
    const config = this.add('application/vnd.oci.image.config.v1+json', { os: 'linux', architecture: 'riscv64', ...(program === undefined ? {} : { config: program }) });
    return this.add('application/vnd.oci.image.manifest.v1+json', { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers });
  }

  index(manifests: readonly Descriptor[]): void {
    fs.writeFileSync(join(this.path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  }
}
