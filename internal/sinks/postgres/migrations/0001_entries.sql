-- The entries of one log. What was sealed is leaf, byte for byte; every other column is a view of it, for queries, and Verify compares them.
CREATE TABLE entries (
	index           bigint      NOT NULL, -- the place in the log, from 0 on, without a gap
	received_at     timestamptz NOT NULL, -- when the broker stored the event, to the microsecond; the leaf has nine digits
	"timestamp"     timestamptz NOT NULL, -- when it happened, as the agent claims
	entry_id        text        NOT NULL,
	event_type      text        NOT NULL,
	agent_did       text        NOT NULL,
	action          text,
	resource        text,
	target_did      text,
	outcome         text,
	policy_decision text,
	matched_rule    text,
	trace_id        text,
	session_id      text,
	extensions      jsonb, -- the other attributes
	detail          jsonb, -- of the log's own entries
	previous_hash   text        NOT NULL,
	entry_hash      text        NOT NULL,
	leaf            bytea       NOT NULL,
	data            jsonb, -- for queries; NULL where JSONB would refuse the data or change more than white space, order and the way numbers are written
	data_raw        bytea, -- the data as it was received; NULL: there is none, or it was erased
	salt            bytea, -- opens the leaf's data_hash, with data_raw
	PRIMARY KEY (index, received_at)
) PARTITION BY RANGE (received_at);

-- The filters of /v1/entries, each in the log's order. A value of more than 2,000 bytes stands in a column as the sink shortens it: more no index can hold.
CREATE INDEX ON entries (agent_did, index);
CREATE INDEX ON entries (event_type, index);
CREATE INDEX ON entries (entry_id);
CREATE INDEX ON entries ("timestamp");
CREATE INDEX ON entries (resource text_pattern_ops, index) WHERE resource IS NOT NULL; -- = and LIKE 'prefix%'
CREATE INDEX ON entries (action, index) WHERE action IS NOT NULL;
CREATE INDEX ON entries (outcome, index) WHERE outcome IS NOT NULL;
CREATE INDEX ON entries (target_did, index) WHERE target_did IS NOT NULL;
CREATE INDEX ON entries (matched_rule, index) WHERE matched_rule IS NOT NULL;
CREATE INDEX ON entries (trace_id, index) WHERE trace_id IS NOT NULL;
CREATE INDEX ON entries (session_id, index) WHERE session_id IS NOT NULL;

-- The cursor: one row for each transaction that wrote entries, written by it. Its key keeps out a second writer, were it to pass over the lock.
CREATE TABLE batches (
	first      bigint      PRIMARY KEY, -- index of its first entry
	next       bigint      NOT NULL CHECK (next > first), -- index behind its last one
	entry_hash text        NOT NULL, -- of its last one
	written_at timestamptz NOT NULL DEFAULT now()
);

-- A partition holds a month. It is made apart and then attached, which lets readers go on.
CREATE FUNCTION ensure_partition(moment timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	low  timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
	name text := to_char(low, '"entries_y"FMYYYY"m"MM') || CASE WHEN extract(year FROM low) < 1 THEN 'bc' ELSE '' END;
BEGIN
	IF to_regclass(quote_ident(current_schema()) || '.' || quote_ident(name)) IS NOT NULL THEN
		RETURN;
	END IF;
	EXECUTE format('CREATE TABLE %I (LIKE entries INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
	EXECUTE format('ALTER TABLE entries ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
		name, low AT TIME ZONE 'UTC', (low + interval '1 month') AT TIME ZONE 'UTC');
END $$;

-- The only change of a row that the writer's role may make: data that was erased from the log goes, the leaf and all proofs stay.
CREATE FUNCTION erase(indexes bigint[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
	WITH gone AS (
		UPDATE entries SET data = NULL, data_raw = NULL, salt = NULL WHERE index = ANY (indexes) AND salt IS NOT NULL RETURNING 1
	) SELECT count(*) FROM gone
$$;

REVOKE ALL ON FUNCTION ensure_partition(timestamptz), erase(bigint[]) FROM PUBLIC;
