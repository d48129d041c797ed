DROP TABLE IF EXISTS observatory.api_keys;
DROP TABLE IF EXISTS observatory.projects;
