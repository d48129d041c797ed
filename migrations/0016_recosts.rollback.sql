DROP TABLE IF EXISTS observatory.recosts;
