-- +goose Up

-- Connectors say more: headers, query, fields of their own, authentication, look-up,
-- and what an answer means.
ALTER TABLE connectors ADD COLUMN root text NOT NULL DEFAULT '';
ALTER TABLE connectors ADD COLUMN headers text NOT NULL DEFAULT '[]' CHECK (json_valid(headers));
ALTER TABLE connectors ADD COLUMN query text NOT NULL DEFAULT '[]' CHECK (json_valid(query));
ALTER TABLE connectors ADD COLUMN fields text NOT NULL DEFAULT '[]' CHECK (json_valid(fields));
ALTER TABLE connectors ADD COLUMN auth text NOT NULL DEFAULT '{}' CHECK (json_valid(auth));
ALTER TABLE connectors ADD COLUMN lookup text NOT NULL DEFAULT '{}' CHECK (json_valid(lookup));
ALTER TABLE connectors ADD COLUMN outcomes text NOT NULL DEFAULT '{}' CHECK (json_valid(outcomes));
ALTER TABLE connectors ADD COLUMN external_id text NOT NULL DEFAULT '';
ALTER TABLE connectors ADD COLUMN external_link text NOT NULL DEFAULT '';

-- The checks on format and outcome know more values.
ALTER TABLE connectors ADD COLUMN new_format text NOT NULL DEFAULT 'json' CHECK (new_format IN ('json', 'form', 'xml', 'query', 'email'));
UPDATE connectors SET new_format = format;
ALTER TABLE connectors DROP COLUMN format;
ALTER TABLE connectors RENAME COLUMN new_format TO format;
ALTER TABLE attempts ADD COLUMN new_outcome text NOT NULL DEFAULT 'retry' CHECK (new_outcome IN ('accepted', 'duplicate', 'rejected', 'retry'));
UPDATE attempts SET new_outcome = outcome;
ALTER TABLE attempts DROP COLUMN outcome;
ALTER TABLE attempts RENAME COLUMN new_outcome TO outcome;

-- +goose Down

ALTER TABLE attempts ADD COLUMN new_outcome text NOT NULL DEFAULT 'retry' CHECK (new_outcome IN ('accepted', 'rejected', 'retry'));
UPDATE attempts SET new_outcome = CASE outcome WHEN 'duplicate' THEN 'accepted' ELSE outcome END;
ALTER TABLE attempts DROP COLUMN outcome;
ALTER TABLE attempts RENAME COLUMN new_outcome TO outcome;
ALTER TABLE connectors ADD COLUMN new_format text NOT NULL DEFAULT 'json' CHECK (new_format IN ('json', 'form'));
UPDATE connectors SET new_format = CASE WHEN format IN ('json', 'form') THEN format ELSE 'form' END;
ALTER TABLE connectors DROP COLUMN format;
ALTER TABLE connectors RENAME COLUMN new_format TO format;
ALTER TABLE connectors DROP COLUMN external_link;
ALTER TABLE connectors DROP COLUMN external_id;
ALTER TABLE connectors DROP COLUMN outcomes;
ALTER TABLE connectors DROP COLUMN lookup;
ALTER TABLE connectors DROP COLUMN auth;
ALTER TABLE connectors DROP COLUMN fields;
ALTER TABLE connectors DROP COLUMN query;
ALTER TABLE connectors DROP COLUMN headers;
ALTER TABLE connectors DROP COLUMN root;
