-- +goose Up

-- Kinds that sign their deliveries take none without a signature unless the source
-- says so. Those that took them so far say so from here on.
UPDATE sources SET version = version + 1,
    settings = json_remove(json_set(settings, '$.AcceptUnsigned', 'true'), '$.RequireSignature')
WHERE (kind IN ('typeform', 'linkedin') AND sealed_secret IS NULL)
    OR (kind = 'linkedin' AND lower(coalesce(json_extract(settings, '$.RequireSignature'), '')) NOT IN ('true', '1'))
    OR (kind = 'meta' AND json_extract(settings, '$.AppSecret') IS NULL);
UPDATE sources SET version = version + 1, settings = json_remove(settings, '$.RequireSignature')
WHERE json_extract(settings, '$.RequireSignature') IS NOT NULL;

-- +goose Down

UPDATE sources SET version = version + 1, settings = json_set(settings, '$.RequireSignature', 'true')
WHERE kind = 'linkedin' AND json_extract(settings, '$.AcceptUnsigned') IS NULL;
UPDATE sources SET version = version + 1, settings = json_remove(settings, '$.AcceptUnsigned')
WHERE json_extract(settings, '$.AcceptUnsigned') IS NOT NULL;
