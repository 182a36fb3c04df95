#!/usr/bin/env bash
# SQLite inside a machine. Its database is a file in the machine's memory: no disk of the host, no journal file of SQLite. Stillpoint alone makes it
# durable (every answer is on disk), revertible (savepoint, rollback), and atomic even where SQL cannot be: a request may consist of several
# transactions, and a check of the host may refuse the outcome.
#
#   examples/services/sqlite.sh           needs scripts/install-tools.sh to have run; STILLPOINT_STORE says where the runs are kept
set -euo pipefail
cd "$(dirname "$0")/../.."
stillpoint() { node dist/bin/stillpoint.js "$@"; }

# The first request makes the run. Everything else only names it.
stillpoint txn shop --memory 64M -- build/guests/real/sqlite3 /tmp/shop.db <<'SQL'
PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;
CREATE TABLE stock (item TEXT PRIMARY KEY, count INTEGER CHECK (count >= 0));
INSERT INTO stock VALUES ('apple', 10), ('pear', 5);
SQL
ask() { stillpoint txn shop "$@"; }

echo "- in the beginning"
echo "SELECT item, count FROM stock ORDER BY item;" | ask

echo "- a request that the host refuses: SQLite has committed it already, only the machine can take it back"
printf '%s\n' "UPDATE stock SET count = count - 3 WHERE item = 'apple';" "DELETE FROM stock WHERE item = 'pear';" "SELECT count(*) FROM stock;" |
  ask --check 'grep -qx 2 || { echo "an item is missing" >&2; exit 1; }' 2>&1 || true
echo "SELECT item, count FROM stock ORDER BY item;" | ask

echo "- a savepoint, a mistake, and back"
stillpoint savepoint shop --name before-sale >&2
echo "UPDATE stock SET count = 0; SELECT sum(count) FROM stock;" | ask
stillpoint rollback shop --to before-sale >&2
echo "SELECT sum(count) FROM stock;" | ask
