-- Loads the record lines of psql's stdin. A record may come twice, and is then there once: its place is the primary key.
CREATE TEMPORARY TABLE line (record json) ON COMMIT DROP;

-- CSV with a quote and a delimiter that JSON does not have takes each line as it is.
\copy line FROM pstdin WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')

INSERT INTO payment (partition, "offset", id, amount, currency)
  SELECT (record ->> 'partition')::integer, (record ->> 'offset')::bigint,
    record #>> '{value,payload,payment_id}', (record #>> '{value,payload,amount_minor}')::bigint,
    record #>> '{value,payload,currency}'
  FROM line
  ON CONFLICT DO NOTHING;
