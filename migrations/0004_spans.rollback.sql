DROP TABLE IF EXISTS observatory.span_payloads;
DROP TABLE IF EXISTS observatory.spans;
DELETE FROM observatory.policies WHERE relation IN ('spans', 'span_payloads');
