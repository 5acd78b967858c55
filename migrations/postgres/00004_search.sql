-- +goose Up

-- The words that leads and customers are searched by, kept by triggers.
-- +goose StatementBegin
CREATE TABLE leads_search (
    key   uuid NOT NULL PRIMARY KEY REFERENCES leads (id) ON UPDATE CASCADE ON DELETE CASCADE,
    words tsvector NOT NULL
);
-- +goose StatementEnd
-- +goose StatementBegin
CREATE INDEX leads_search_words ON leads_search USING gin (words);
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION leads_search_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO leads_search (key, words) VALUES (new.id, (
        SELECT coalesce(string_agg(left(w, 500) || ':' || least(n, 16383), ' '), '')::tsvector
        FROM regexp_split_to_table(regexp_replace(translate(lower(concat_ws(' ', left(new.first_name, 1000), left(new.last_name, 1000), left(new.email, 1000), left(new.city, 1000), left(new.external_id, 1000), left(new.phone, 1000), left(new.phone_raw, 1000), (SELECT string_agg(DISTINCT substr(d, n), ' ')
            FROM (VALUES (left(regexp_replace(new.phone, '[^0-9]', '', 'g'), 40)), (left(regexp_replace(new.phone_raw, '[^0-9]', '', 'g'), 40))) p(d), generate_series(1, greatest(length(d) - 3, 1)) n)) COLLATE "und-x-icu"), 'ς', 'σ'), '[^[:alnum:]]+', ' ', 'g'), ' ')
            WITH ORDINALITY q(w, n)
        WHERE w <> ''))
    ON CONFLICT (key) DO UPDATE SET words = excluded.words;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER leads_search_insert AFTER INSERT ON leads FOR EACH ROW EXECUTE FUNCTION leads_search_keep();
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER leads_search_update AFTER UPDATE OF id, first_name, last_name, email, city, external_id, phone, phone_raw ON leads FOR EACH ROW WHEN (old.id IS DISTINCT FROM new.id OR old.first_name IS DISTINCT FROM new.first_name OR old.last_name IS DISTINCT FROM new.last_name OR old.email IS DISTINCT FROM new.email OR old.city IS DISTINCT FROM new.city OR old.external_id IS DISTINCT FROM new.external_id OR old.phone IS DISTINCT FROM new.phone OR old.phone_raw IS DISTINCT FROM new.phone_raw) EXECUTE FUNCTION leads_search_keep();
-- +goose StatementEnd
-- +goose StatementBegin
INSERT INTO leads_search (key, words) SELECT t.id, (
        SELECT coalesce(string_agg(left(w, 500) || ':' || least(n, 16383), ' '), '')::tsvector
        FROM regexp_split_to_table(regexp_replace(translate(lower(concat_ws(' ', left(t.first_name, 1000), left(t.last_name, 1000), left(t.email, 1000), left(t.city, 1000), left(t.external_id, 1000), left(t.phone, 1000), left(t.phone_raw, 1000), (SELECT string_agg(DISTINCT substr(d, n), ' ')
            FROM (VALUES (left(regexp_replace(t.phone, '[^0-9]', '', 'g'), 40)), (left(regexp_replace(t.phone_raw, '[^0-9]', '', 'g'), 40))) p(d), generate_series(1, greatest(length(d) - 3, 1)) n)) COLLATE "und-x-icu"), 'ς', 'σ'), '[^[:alnum:]]+', ' ', 'g'), ' ')
            WITH ORDINALITY q(w, n)
        WHERE w <> '') FROM leads t;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TABLE customers_search (
    key   bigint NOT NULL PRIMARY KEY REFERENCES customers (id) ON UPDATE CASCADE ON DELETE CASCADE,
    words tsvector NOT NULL
);
-- +goose StatementEnd
-- +goose StatementBegin
CREATE INDEX customers_search_words ON customers_search USING gin (words);
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION customers_search_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO customers_search (key, words) VALUES (new.id, (
        SELECT coalesce(string_agg(left(w, 500) || ':' || least(n, 16383), ' '), '')::tsvector
        FROM regexp_split_to_table(regexp_replace(translate(lower(concat_ws(' ', left(new.name, 1000)) COLLATE "und-x-icu"), 'ς', 'σ'), '[^[:alnum:]]+', ' ', 'g'), ' ')
            WITH ORDINALITY q(w, n)
        WHERE w <> ''))
    ON CONFLICT (key) DO UPDATE SET words = excluded.words;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER customers_search_insert AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION customers_search_keep();
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER customers_search_update AFTER UPDATE OF id, name ON customers FOR EACH ROW WHEN (old.id IS DISTINCT FROM new.id OR old.name IS DISTINCT FROM new.name) EXECUTE FUNCTION customers_search_keep();
-- +goose StatementEnd
-- +goose StatementBegin
INSERT INTO customers_search (key, words) SELECT t.id, (
        SELECT coalesce(string_agg(left(w, 500) || ':' || least(n, 16383), ' '), '')::tsvector
        FROM regexp_split_to_table(regexp_replace(translate(lower(concat_ws(' ', left(t.name, 1000)) COLLATE "und-x-icu"), 'ς', 'σ'), '[^[:alnum:]]+', ' ', 'g'), ' ')
            WITH ORDINALITY q(w, n)
        WHERE w <> '') FROM customers t;
-- +goose StatementEnd

-- +goose Down

-- +goose StatementBegin
DROP TRIGGER leads_search_insert ON leads;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER leads_search_update ON leads;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TABLE leads_search;
-- +goose StatementEnd
-- +goose StatementBegin
DROP FUNCTION leads_search_keep;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER customers_search_insert ON customers;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER customers_search_update ON customers;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TABLE customers_search;
-- +goose StatementEnd
-- +goose StatementBegin
DROP FUNCTION customers_search_keep;
-- +goose StatementEnd
