/** store: the Store interface and its in-memory twin. The LMDB adapter is store/live/lmdb-store.ts. */
export { ALL_KEYS, TABLES, type Store, type StoreBatch, type StoreDelete, type StoreExpectation, type StorePut, type Table } from './store.ts';
export { MemoryStore, type MemoryStoreOptions } from './memory-store.ts';
export { Overlay } from './overlay.ts';
export { META_KEY, storeId, STORE_VERSION } from './format.ts';
