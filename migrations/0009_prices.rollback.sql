DROP INDEX IF EXISTS observatory.spans_unpriced;
DROP TABLE IF EXISTS observatory.prices;
DROP TABLE IF EXISTS observatory.price_syncs;
DROP FUNCTION IF EXISTS observatory_private.keep_prices();
