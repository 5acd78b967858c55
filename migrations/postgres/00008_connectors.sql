-- +goose Up

-- Connectors say more: headers, query, fields of their own, authentication, look-up,
-- and what an answer means.
ALTER TABLE connectors ADD COLUMN root text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE connectors ADD COLUMN headers jsonb NOT NULL DEFAULT '[]';
ALTER TABLE connectors ADD COLUMN query jsonb NOT NULL DEFAULT '[]';
ALTER TABLE connectors ADD COLUMN fields jsonb NOT NULL DEFAULT '[]';
ALTER TABLE connectors ADD COLUMN auth jsonb NOT NULL DEFAULT '{}';
ALTER TABLE connectors ADD COLUMN lookup jsonb NOT NULL DEFAULT '{}';
ALTER TABLE connectors ADD COLUMN outcomes jsonb NOT NULL DEFAULT '{}';
ALTER TABLE connectors ADD COLUMN external_id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE connectors ADD COLUMN external_link text COLLATE "C" NOT NULL DEFAULT '';

-- The checks on format and outcome know more values.
ALTER TABLE connectors DROP CONSTRAINT connectors_format_check, ADD CONSTRAINT connectors_format_check CHECK (format IN ('json', 'form', 'xml', 'query', 'email'));
ALTER TABLE attempts DROP CONSTRAINT attempts_outcome_check, ADD CONSTRAINT attempts_outcome_check CHECK (outcome IN ('accepted', 'duplicate', 'rejected', 'retry'));

-- +goose Down

UPDATE attempts SET outcome = 'accepted' WHERE outcome = 'duplicate';
ALTER TABLE attempts DROP CONSTRAINT attempts_outcome_check, ADD CONSTRAINT attempts_outcome_check CHECK (outcome IN ('accepted', 'rejected', 'retry'));
UPDATE connectors SET format = 'form' WHERE format NOT IN ('json', 'form');
ALTER TABLE connectors DROP CONSTRAINT connectors_format_check, ADD CONSTRAINT connectors_format_check CHECK (format IN ('json', 'form'));
ALTER TABLE connectors DROP COLUMN external_link;
ALTER TABLE connectors DROP COLUMN external_id;
ALTER TABLE connectors DROP COLUMN outcomes;
ALTER TABLE connectors DROP COLUMN lookup;
ALTER TABLE connectors DROP COLUMN auth;
ALTER TABLE connectors DROP COLUMN fields;
ALTER TABLE connectors DROP COLUMN query;
ALTER TABLE connectors DROP COLUMN headers;
ALTER TABLE connectors DROP COLUMN root;
