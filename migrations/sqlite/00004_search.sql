-- +goose Up

-- The words that leads and customers are searched by, kept by triggers.
-- +goose StatementBegin
CREATE TABLE leads_search (
    docid integer PRIMARY KEY,
    key   text NOT NULL UNIQUE,
    words text NOT NULL
);
-- +goose StatementEnd
-- +goose StatementBegin
CREATE VIRTUAL TABLE leads_search_fts USING fts4(words, content="leads_search", matchinfo="fts3", tokenize=unicode61 "remove_diacritics=0");
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER leads_search_insert AFTER INSERT ON leads BEGIN
    INSERT INTO leads_search (key, words) VALUES (new.id, coalesce(substr(new.first_name, 1, 1000), '')
        || ' ' || coalesce(substr(new.last_name, 1, 1000), '')
        || ' ' || coalesce(substr(new.email, 1, 1000), '')
        || ' ' || coalesce(substr(new.city, 1, 1000), '')
        || ' ' || coalesce(substr(new.external_id, 1, 1000), '')
        || ' ' || coalesce(substr(new.phone, 1, 1000), '')
        || ' ' || coalesce(substr(new.phone_raw, 1, 1000), '')
        || ' ' || coalesce((WITH RECURSIVE s(d) AS (SELECT substr(replace(replace(replace(replace(replace(replace(replace(new.phone, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', ''), '/', ''), 1, 40) UNION SELECT substr(replace(replace(replace(replace(replace(replace(replace(new.phone_raw, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', ''), '/', ''), 1, 40) UNION SELECT substr(d, 2) FROM s WHERE length(d) > 4) SELECT group_concat(d, ' ') FROM s), ''));
    INSERT INTO leads_search_fts (docid, words) SELECT docid, words FROM leads_search WHERE key = new.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER leads_search_update AFTER UPDATE OF id, first_name, last_name, email, city, external_id, phone, phone_raw ON leads WHEN old.id IS NOT new.id OR old.first_name IS NOT new.first_name OR old.last_name IS NOT new.last_name OR old.email IS NOT new.email OR old.city IS NOT new.city OR old.external_id IS NOT new.external_id OR old.phone IS NOT new.phone OR old.phone_raw IS NOT new.phone_raw BEGIN
    DELETE FROM leads_search_fts WHERE docid = (SELECT docid FROM leads_search WHERE key = old.id);
    UPDATE leads_search SET key = new.id, words = coalesce(substr(new.first_name, 1, 1000), '')
        || ' ' || coalesce(substr(new.last_name, 1, 1000), '')
        || ' ' || coalesce(substr(new.email, 1, 1000), '')
        || ' ' || coalesce(substr(new.city, 1, 1000), '')
        || ' ' || coalesce(substr(new.external_id, 1, 1000), '')
        || ' ' || coalesce(substr(new.phone, 1, 1000), '')
        || ' ' || coalesce(substr(new.phone_raw, 1, 1000), '')
        || ' ' || coalesce((WITH RECURSIVE s(d) AS (SELECT substr(replace(replace(replace(replace(replace(replace(replace(new.phone, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', ''), '/', ''), 1, 40) UNION SELECT substr(replace(replace(replace(replace(replace(replace(replace(new.phone_raw, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', ''), '/', ''), 1, 40) UNION SELECT substr(d, 2) FROM s WHERE length(d) > 4) SELECT group_concat(d, ' ') FROM s), '') WHERE key = old.id;
    INSERT INTO leads_search_fts (docid, words) SELECT docid, words FROM leads_search WHERE key = new.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER leads_search_delete AFTER DELETE ON leads BEGIN
    DELETE FROM leads_search_fts WHERE docid = (SELECT docid FROM leads_search WHERE key = old.id);
    DELETE FROM leads_search WHERE key = old.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
INSERT INTO leads_search (key, words) SELECT t.id, coalesce(substr(t.first_name, 1, 1000), '')
        || ' ' || coalesce(substr(t.last_name, 1, 1000), '')
        || ' ' || coalesce(substr(t.email, 1, 1000), '')
        || ' ' || coalesce(substr(t.city, 1, 1000), '')
        || ' ' || coalesce(substr(t.external_id, 1, 1000), '')
        || ' ' || coalesce(substr(t.phone, 1, 1000), '')
        || ' ' || coalesce(substr(t.phone_raw, 1, 1000), '')
        || ' ' || coalesce((WITH RECURSIVE s(d) AS (SELECT substr(replace(replace(replace(replace(replace(replace(replace(t.phone, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', ''), '/', ''), 1, 40) UNION SELECT substr(replace(replace(replace(replace(replace(replace(replace(t.phone_raw, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', ''), '/', ''), 1, 40) UNION SELECT substr(d, 2) FROM s WHERE length(d) > 4) SELECT group_concat(d, ' ') FROM s), '') FROM leads t;
-- +goose StatementEnd
-- +goose StatementBegin
INSERT INTO leads_search_fts (docid, words) SELECT docid, words FROM leads_search;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TABLE customers_search (
    docid integer PRIMARY KEY,
    key   integer NOT NULL UNIQUE,
    words text NOT NULL
);
-- +goose StatementEnd
-- +goose StatementBegin
CREATE VIRTUAL TABLE customers_search_fts USING fts4(words, content="customers_search", matchinfo="fts3", tokenize=unicode61 "remove_diacritics=0");
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER customers_search_insert AFTER INSERT ON customers BEGIN
    INSERT INTO customers_search (key, words) VALUES (new.id, coalesce(substr(new.name, 1, 1000), ''));
    INSERT INTO customers_search_fts (docid, words) SELECT docid, words FROM customers_search WHERE key = new.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER customers_search_update AFTER UPDATE OF id, name ON customers WHEN old.id IS NOT new.id OR old.name IS NOT new.name BEGIN
    DELETE FROM customers_search_fts WHERE docid = (SELECT docid FROM customers_search WHERE key = old.id);
    UPDATE customers_search SET key = new.id, words = coalesce(substr(new.name, 1, 1000), '') WHERE key = old.id;
    INSERT INTO customers_search_fts (docid, words) SELECT docid, words FROM customers_search WHERE key = new.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER customers_search_delete AFTER DELETE ON customers BEGIN
    DELETE FROM customers_search_fts WHERE docid = (SELECT docid FROM customers_search WHERE key = old.id);
    DELETE FROM customers_search WHERE key = old.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
INSERT INTO customers_search (key, words) SELECT t.id, coalesce(substr(t.name, 1, 1000), '') FROM customers t;
-- +goose StatementEnd
-- +goose StatementBegin
INSERT INTO customers_search_fts (docid, words) SELECT docid, words FROM customers_search;
-- +goose StatementEnd

-- +goose Down

-- +goose StatementBegin
DROP TRIGGER leads_search_insert;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER leads_search_update;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER leads_search_delete;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TABLE leads_search_fts;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TABLE leads_search;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER customers_search_insert;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER customers_search_update;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER customers_search_delete;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TABLE customers_search_fts;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TABLE customers_search;
-- +goose StatementEnd
