-- +goose Up

-- Kinds that sign their deliveries take none without a signature unless the source
-- says so. Those that took them so far say so from here on.
UPDATE sources SET version = version + 1, settings = settings - 'RequireSignature' || '{"AcceptUnsigned": "true"}'
WHERE (kind IN ('typeform', 'linkedin') AND sealed_secret IS NULL)
    OR (kind = 'linkedin' AND lower(coalesce(settings ->> 'RequireSignature', '')) NOT IN ('true', '1'))
    OR (kind = 'meta' AND settings ->> 'AppSecret' IS NULL);
UPDATE sources SET version = version + 1, settings = settings - 'RequireSignature' WHERE settings ->> 'RequireSignature' IS NOT NULL;

-- +goose Down

UPDATE sources SET version = version + 1, settings = settings || '{"RequireSignature": "true"}'
WHERE kind = 'linkedin' AND settings ->> 'AcceptUnsigned' IS NULL;
UPDATE sources SET version = version + 1, settings = settings - 'AcceptUnsigned' WHERE settings ->> 'AcceptUnsigned' IS NOT NULL;
