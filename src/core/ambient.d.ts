/** The few globals beyond ECMAScript that the pure folders use: Node and browsers both have them. */
declare class TextEncoder { encode(text: string): Uint8Array }
declare class TextDecoder {
  constructor(label?: string, options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean });
  decode(bytes: Uint8Array): string;
}
