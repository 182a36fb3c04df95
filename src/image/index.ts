/** image: what an image or layer is: tar archives, whiteouts, the catalog; pure. */
export { ImageCatalog, type ReadFile } from './catalog.ts';
export { chunkCount } from './catalog-format.ts';
export { encodeCatalog } from './catalog-writer.ts';
export { CONFIG_TEXT_MAX, decodeImageConfig, encodeImageConfig, type ImageConfig } from './config.ts';
export { chunkedRead, chunksOf, hashAt, readChunks, type ReadChunk } from './chunks.ts';
export { emptyDirectory, LayerBuilder, layOver, mountedAt, printable, type FileBytes, type LayerDirectory, type LayerFile, type LayerNode } from './layer.ts';
export { writeLayer, type ReadLayerFile } from './tar-writer.ts';
export { layerFromTar } from './layer-from-tar.ts';
export { findInImage, findProgram, PATH_DEFAULT } from './lookup.ts';
export { OCI_DOCUMENT_BYTES_MAX, ociDescriptors, ociImage, type OciImage, type OciDescriptor } from './oci.ts';
export type { ByteSource } from './tar-reader.ts';
export { ACCOUNTS_BYTES_MAX, findUser, type FoundUser } from './users.ts';
export { DEVICE_MINORS, KIND, type ImageNode, type ImageTree } from './tree.ts';
