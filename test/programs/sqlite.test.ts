/** SQLite's shell from its real sources, on files in the guest's file system, against qemu-riscv64. */
import { describe, it } from 'vitest';
import { checkReal } from './real-program.ts';

const SCRIPTS: Readonly<Record<string, string>> = {
  basics: `create table t(id integer primary key, name text, value real); insert into t(name, value) values ('a', 1.5), ('b', 2.25), ('c', null); select * from t order by id desc; update t set value = value * 2 where name <> 'a'; delete from t where value is null; select count(*), sum(value), avg(value), typeof(value) from t; select printf('%05d %g %s', 42, 1e10, quote('it''s'));`,
  bulk: `create table n(i integer primary key, h text, g integer); with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000) insert into n select x, hex(x * 2654435761 % 4294967296), x % 17 from c; create index ng on n(g, h); select g, count(*), min(h), max(h) from n group by g order by g; select sum(length(h)) from n where g in (3, 5, 7); explain query plan select * from n where g = 3; select * from n order by h limit 5;`,
  transactions: `create table a(x unique); begin; insert into a values (1), (2); savepoint s; insert into a values (3); rollback to s; commit; select * from a; begin; delete from a; rollback; select count(*) from a; insert or ignore into a values (1), (9); insert or replace into a values (9); select x from a order by x; pragma integrity_check;`,
  triggers: `create table log(m); create table t(x); create trigger tr after insert on t begin insert into log values ('added ' || new.x); end; create view v as select x * 10 as y from t; insert into t values (1), (2), (3); select * from log; select sum(y) from v; drop trigger tr; insert into t values (4); select count(*) from log;`,
  windows: `create table s(d, k, v); insert into s values (1, 'a', 10), (2, 'b', 20), (3, 'a', 30), (4, 'b', 5), (5, 'a', 7); select d, k, v, sum(v) over (partition by k order by d), row_number() over (order by v desc), lag(v) over (order by d), ntile(2) over (order by d) from s order by d; with recursive f(n, a, b) as (select 1, 0, 1 union all select n + 1, b, a + b from f where n < 40) select max(b) from f;`,
  json: `select json_extract('{"a":[1,2,{"b":"x"}],"c":null}', '$.a[2].b'); select json_group_array(value) from json_each('[3,1,2]'); select json_object('k', json('[1,2]'), 'r', 2.5); select key, value, type from json_tree('{"a":{"b":[true,false]}}'); select json_patch('{"a":1,"b":2}', '{"b":null,"c":3}');`,
  fulltext: `create virtual table d using fts5(body); insert into d values ('the quick brown fox'), ('jumps over the lazy dog'), ('quick quick dog'); select rowid, body from d where d match 'quick' order by rowid; select highlight(d, 0, '[', ']') from d where d match 'dog' order by rowid; create virtual table r using rtree(id, x0, x1); insert into r values (1, 0, 1), (2, 5, 6); select id from r where x0 > 2;`,
  mathematics: `select sin(1), cos(2.5), exp(1), ln(10), pow(2, 0.5), 1e308 * 10, 9223372036854775807, 9223372036854775807 + 1, 0.1 + 0.2, round(2.675, 2), 7 / 2, 7 % 3, -7 / 2, abs(-5), cast('12abc' as integer), 1 = 1.0;`,
  errors: `create table t(x not null check (x > 0)); insert into t values (null); insert into t values (-1); select * from missing; selekt 1; select 1 / 0, 'still here';`,
  journalled: `pragma journal_mode = delete; pragma page_size; create table t(a, b); begin; insert into t select value, value * value from generate_series(1, 2000); commit; vacuum; pragma page_count; select count(*), sum(b) from t; pragma journal_mode = memory; update t set b = b + 1; select sum(b) from t; attach 'other.db' as o; create table o.u as select * from t limit 10; select count(*) from o.u; detach o;`,
};

describe('SQLite scripts on a file', () => {
  it.each(Object.keys(SCRIPTS))('%s', async (name) => {
    await checkReal('sqlite3', { args: ['-batch', 'test.db'], stdin: Buffer.from(SCRIPTS[name]!) });
  });

  it('in write-ahead mode', async () => {
    await checkReal('sqlite3', { args: ['-batch', 'wal.db', 'pragma journal_mode = wal; create table t(x); insert into t values (1), (2); select count(*) from t; pragma wal_checkpoint; select sum(x) from t;'] });
  });
});
