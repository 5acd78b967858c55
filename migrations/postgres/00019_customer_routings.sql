-- +goose Up

-- A customer reads its routings page by page, in the order of their ids.
CREATE INDEX routings_customer_id_id ON routings (customer_id, id);

-- +goose Down
DROP INDEX routings_customer_id_id;
