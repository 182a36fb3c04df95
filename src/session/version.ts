/**
 * Name and version of this software, as records and --version show it. test/package.test.ts keeps it equal to package.json.
 */
export const VERSION = '0.1.0';
export const RECORDER = `stillpoint ${VERSION}`;
