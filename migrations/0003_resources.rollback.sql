DROP TABLE IF EXISTS observatory.resources;
