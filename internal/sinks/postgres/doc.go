// Package pgsink is the sink that keeps a log in Postgres, for SQL:
// postgres://writer@host/database?schema=sealstream&owner=…
//
//	[]sink.Record ─Write─▶ one transaction: COPY entries, INSERT batches (the cursor) ─commit─▶ rows
//	rows ─Read, Verify─▶ []sink.Record
//
// Each row contains the bytes of the leaf and of the data, so that Verify hashes exactly what was
// sealed. The other columns are for queries, and Verify compares them with the leaf.
//
// The column data is JSONB, or NULL where JSONB would not mean the same: data that is not JSON or
// repeats a member, \u0000, which Postgres refuses, and numbers of more than 1,000 digits or with
// an exponent beyond ±1,000. Postgres changes only white space, the order of members and the form
// of numbers (1e3 becomes 1000, -0 becomes 0). A column holds the start and the SHA-256 of a text
// of more than 2,000 bytes, because an index can hold no more. The leaf has the whole text.
//
// One transaction writes the rows and the cursor. A crash leaves both or neither, and the cursor
// tells which. An advisory lock, held for a transaction, lets two writers take turns. Each then
// skips what the other has written.
//
// With owner, a second URL, the owner's role owns and migrates the schema. The sink's own role may
// then only insert, select, create partitions and erase data: it can neither change a leaf nor
// remove a row. Create that role with CREATE ROLE writer LOGIN PASSWORD '…'. The owner grants its
// rights. Without owner, the sink's role creates the schema and may do anything with it. Keep
// passwords in ~/.pgpass rather than in URLs, which other users of the machine can see.
//
// Erased data disappears from the rows at once. Its bytes leave the table's files with the next
// VACUUM, and WAL archives and backups when they expire. DROP TABLE entries_y2026m05 removes the
// rows of a month. Verify then reports that they are missing.
package pgsink
