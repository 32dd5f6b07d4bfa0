// Package pgsink is the sink that keeps a log in Postgres, for SQL: postgres://writer@host/database?schema=sealstream&owner=…
//
//	[]sink.Record ─Write─▶ one transaction: COPY entries, INSERT batches (the cursor) ─commit─▶ rows ─Read, Verify─▶ []sink.Record
//
// The leaf's bytes stand in each row, and the data's, so that Verify hashes what was sealed; the columns beside them are for queries, and Verify
// compares them with the leaf. The column data is JSONB where that says the same: not for data that is no JSON or names a member twice, that has \u0000 in it, which
// Postgres refuses, or numbers of more than 1,000 digits or an exponent beyond ±1,000. What Postgres does change are white space, the order of members
// and how a number is written (1e3 is 1000, -0 is 0). A text of more than 2,000 bytes stands in a column as its begin and its SHA-256, because no
// index holds more; the leaf has it whole.
//
// Rows and cursor are of one transaction: a crash at any line leaves both or neither, and whoever was not told reads the cursor. An advisory lock, held for
// a transaction, lets two writers take turns; each then passes over what the other has written.
//
// With owner, a second URL, the schema and its migrations are the owner's, and the sink's own role may insert, select, have partitions made and have
// data erased: it can change no row's leaf and remove none. Make it with CREATE ROLE writer LOGIN PASSWORD '…'; the rights it gets from the owner.
// Without owner the sink's role makes the schema itself, and may then do anything with it. Passwords are better off in ~/.pgpass than in URLs, which
// other users of the machine see.
//
// Erased data is gone from the rows at once. Its bytes leave the table's files with the next VACUUM, and WAL archives and backups when they expire.
// Rows of a month go at once with its partition, DROP TABLE entries_y2026m05; Verify then says that they are missing.
package pgsink
