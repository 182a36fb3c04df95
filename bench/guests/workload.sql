-- A mix for SQLite in memory: inserts, an index, joins, groups, text, updates, deletes. :size is the number of rows. Integers and text only, so that
-- nothing depends on the host's long double.
CREATE TABLE item (id INTEGER PRIMARY KEY, kind INTEGER, price INTEGER, name TEXT);
CREATE TABLE kind (id INTEGER PRIMARY KEY, label TEXT);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
  INSERT INTO kind SELECT i, 'kind ' || (i * 7919 % 200) FROM n;
WITH RECURSIVE n(i, seed) AS (SELECT 1, 12345 UNION ALL SELECT i + 1, (seed * 1103515245 + 12345) & 2147483647 FROM n WHERE i < :size)
  INSERT INTO item SELECT i, (seed >> 8) % 200 + 1, (seed >> 5) % 100000, 'item ' || ((seed >> 7) % 50000) FROM n;
COMMIT;
CREATE INDEX item_name ON item(name);
CREATE INDEX item_kind ON item(kind, price);
SELECT 'count', count(*), sum(price), min(name), max(name) FROM item;
SELECT 'join', label, count(*), sum(price) FROM item JOIN kind ON kind.id = item.kind GROUP BY label ORDER BY 4 DESC, 2 LIMIT 5;
SELECT 'pairs', count(*) FROM item a JOIN item b ON a.name = b.name AND a.id < b.id;
SELECT 'like', count(*), sum(length(name)) FROM item WHERE name LIKE '%77%' AND price BETWEEN 1000 AND 90000;
SELECT 'best', count(*), sum(best) FROM (SELECT kind, max(price) AS best FROM item GROUP BY kind, id % 10);
BEGIN;
UPDATE item SET price = price + kind, name = upper(name) WHERE id % 3 = 0;
DELETE FROM item WHERE price % 7 = 0;
COMMIT;
SELECT 'after', count(*), sum(price), count(DISTINCT name), sum(id * price % 1000003) FROM item;
SELECT 'window', sum(rank) FROM (SELECT id, rank() OVER (PARTITION BY kind ORDER BY price, id) AS rank FROM item WHERE id % 2 = 0);
SELECT 'text', length(group_concat(part, '|')) FROM (SELECT substr(name, 1, 7) AS part FROM item ORDER BY name, id LIMIT 20000);
