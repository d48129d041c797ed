DROP VIEW IF EXISTS observatory.models;
DROP TABLE IF EXISTS observatory.model_listings;
