DROP TABLE IF EXISTS observatory.metric_points;
DROP TABLE IF EXISTS observatory.metric_series;
DROP TABLE IF EXISTS observatory.metrics;
DELETE FROM observatory.policies WHERE relation = 'metric_points';
