DROP TABLE IF EXISTS observatory.logs;
DELETE FROM observatory.policies WHERE relation = 'logs';
