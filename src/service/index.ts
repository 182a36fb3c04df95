/** service: programs that answer requests, each request a transaction of a resident machine. */
export { Service, type Answer, type Client, type ServiceHome, type ServiceOptions, type Validator } from './service.ts';
export { parseServiceOptions, type ServiceTexts } from './options.ts';
export { openService, savepointRun, transactOnce, type OnceResult, type SavepointResult, type ServiceRequest } from './open.ts';
