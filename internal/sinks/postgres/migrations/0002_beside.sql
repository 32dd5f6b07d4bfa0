-- What a payload holds beside its data under sealing rules 4. It opens the leaf's record_hash, with salt.
ALTER TABLE entries ADD COLUMN action_salt text, ADD COLUMN dssematerial text;

CREATE OR REPLACE FUNCTION erase(indexes bigint[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
	WITH gone AS (
		UPDATE entries SET data = NULL, data_raw = NULL, salt = NULL, action_salt = NULL, dssematerial = NULL
		WHERE index = ANY (indexes) AND salt IS NOT NULL RETURNING 1
	) SELECT count(*) FROM gone
$$;
