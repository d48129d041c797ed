-- dashboard: Ingest health | now-24h

-- panel: Spans | stat | short | 6x4
-- about: By whole hours.
SELECT sum(spans) AS spans
FROM observatory.service_spans_1h
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)

-- panel: Since the last span | stat | s | 6x4
-- about: Of the last day. It began then; it may have been stored later.
SELECT extract(epoch FROM now() - start_time) AS seconds
FROM observatory.spans
WHERE project_id = ${project:sqlstring} AND start_time >= now() - interval '1 day' AND start_time <= now()
ORDER BY start_time DESC LIMIT 1

-- panel: Rollups wait for | stat | s | 6x4
-- about: Over 10 minutes: nobody refreshes them.
SELECT coalesce(extract(epoch FROM now() - min(oldest_pending)), 0) AS seconds
FROM observatory.rollup_status

-- panel: Room on disk | stat | bytes | 6x4
SELECT sum(bytes) AS bytes FROM observatory.storage

-- panel: Spans by service | bars | short | 12x8
-- about: By whole hours.
SELECT $__time(bucket), service_name AS metric, sum(spans) AS spans
FROM observatory.service_spans_1h
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
GROUP BY 1, 2 ORDER BY 1, 2

-- panel: Delay until stored | lines | s | 12x8
-- about: From the end of a span until it is in the database, of the last hour of the range.
SELECT time, seconds[1] AS p50, seconds[2] AS p99
FROM (
    SELECT $__timeGroupAlias(ingested_at, '5m'),
        percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY extract(
            epoch FROM ingested_at - start_time - duration_us * interval '1 microsecond')) AS seconds
    FROM observatory.spans
    WHERE project_id = ${project:sqlstring} AND $__timeFilter(start_time)
        AND start_time >= $__timeTo()::timestamptz - interval '1 hour'
    GROUP BY 1
) AS delays
ORDER BY 1

-- panel: Log records | bars | short | 12x8
-- about: Of the last six hours of the range.
SELECT $__timeGroupAlias(time, '5m'), service_name AS metric, count(*) AS records
FROM observatory.log_severities
WHERE project_id = ${project:sqlstring} AND $__timeFilter(time)
    AND time >= $__timeTo()::timestamptz - interval '6 hours'
GROUP BY 1, 2 ORDER BY 1, 2

-- panel: Calls without a price | table | short | 12x8
SELECT provider, model, sum(unpriced_requests) AS calls
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket) AND unpriced_requests > 0
GROUP BY 1, 2 ORDER BY calls DESC LIMIT 50

-- panel: Relations | table | short | 12x10
SELECT s.relation, s.bytes, s.chunks, s.columnstore_chunks,
    extract(epoch FROM p.retention) / 86400 AS kept_days
FROM observatory.storage AS s
LEFT JOIN observatory.policies AS p USING (relation)
ORDER BY s.bytes DESC

-- panel: Rollups | table | short | 12x10
SELECT rollup, pending_buckets, extract(epoch FROM now() - oldest_pending) AS waits_seconds
FROM observatory.rollup_status
ORDER BY refresh_order
