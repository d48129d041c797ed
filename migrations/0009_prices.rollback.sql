DROP TABLE IF EXISTS observatory.prices;
DROP TABLE IF EXISTS observatory.price_syncs;
DROP FUNCTION IF EXISTS observatory_private.keep_prices();
