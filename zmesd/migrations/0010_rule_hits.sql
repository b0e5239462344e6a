-- How many alarms each rule decided for at least one receiver, by the hour since 1970. The delivery log has the decisions for
-- tokens alone: a rule for sockets would begin at nothing with each start.
CREATE TABLE rule_hits (
    rule   TEXT    NOT NULL,
    hour   INTEGER NOT NULL,
    alarms INTEGER NOT NULL,
    -- when the last of them was
    last   INTEGER NOT NULL,
    PRIMARY KEY (rule, hour)
) STRICT, WITHOUT ROWID;

-- What the log has of the last two days.
INSERT INTO rule_hits (rule, hour, alarms, last)
SELECT rule, at / 3600000, COUNT(*), MAX(at) FROM (
    SELECT DISTINCT substr(d.decided_by, 6) AS rule, a.number, a.at FROM deliveries d
    JOIN pushed_alarms a ON a.number = d.alarm
    WHERE d.decided_by <> '' AND d.decided_by LIKE 'rule:%' AND a.origin <> 'test'
    AND a.at >= (CAST(strftime('%s', 'now') AS INTEGER) - 172800) * 1000
) GROUP BY 1, 2;
